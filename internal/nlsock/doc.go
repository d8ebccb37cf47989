// Package nlsock is a netlink socket that blocks, for a few questions and
// answers in turn.
//
// The kernel answers a netlink request in the context of the sender, so by the
// time sendto returns all answers wait in the socket. A poller, as the runtime
// has one, would cost several thread switches for each answer: measured on a
// locked thread, five times the whole.
package nlsock
