// Package nfnl speaks nfnetlink, the netlink protocol of the kernel's packet
// filter, with as few system calls and allocations as it takes.
//
//	Buffer     writes messages and attributes, and knows which message is which
//	Attrs      reads attributes
//	Conn       one socket: Request, Dump, Batch
//
// A batch is one sendmsg and one acknowledgement, whatever its length: the
// kernel reports errors for every message that fails, and says it is done when
// the last one is acknowledged. Asking for an acknowledgement of each message
// instead costs a receive each, and overflows the socket's buffer from about 500
// messages on, after which nobody knows whether the transaction was committed.
//
// The kernel answers netlink requests in the context of the sender, so by the
// time sendmsg returns all answers wait in the socket.
package nfnl
