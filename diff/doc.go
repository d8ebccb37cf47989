// Package diff finds every packet that two rule sets treat differently, or
// proves that there is none.
//
//	two rule sets → walk each once with all packets at the same time
//	              → sets of packets by their end → intersect those that differ
//	              → a few sentences
//
// Nothing is sampled. A set of packets is a binary decision diagram over the
// bits that rules can see (space.go), so that splitting at every constant that
// occurs in either rule set happens by itself, and ten thousand rules cost ten
// thousand small steps. A walk (walk.go) is iptables.Tracer.Follow on sets:
// marks are 32 functions of the packet, a captured connection goes on with its
// new destination, what leaves by lo arrives by lo. A property test holds the
// two together.
//
// Two packets are treated alike when they end alike: left alone, captured to
// the same port the same way, or dropped; in the same conntrack zone; with the
// same bits in the connection's mark where a rule of either side reads them,
// and the same mark where TPROXY's routing looks for it. A condition that
// package iptables does not model is a dimension of its own: the same text is
// taken to give the same answer on both sides.
package diff
