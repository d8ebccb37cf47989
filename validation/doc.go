// Package validation proves by real packets and connections that a namespace
// does what the configuration says, from inside that namespace.
//
//	builder.Config ─┐
//	Facts ──────────┴→ Plan → []Check → Run → Report: text, JSON, termination log
//
// What every probe must see comes from builder.Decide, the policy without
// chains, and never from the rules under test.
//
// # Nothing leaves the pod
//
// Not when capture works, and not when it is broken either. Three facts of the
// kernel make that possible, and a test with a packet capture on the pod's
// interface holds each of them:
//
//   - A raw IPv4 socket is routed by the address given to sendto, not by the one
//     in its header. Sent to 224.0.0.1 by the pod's interface with a time to live
//     of 0, a packet meets the rules for that interface with any destination in
//     its header. If a rule redirects it, it is routed anew and delivered here;
//     if not, it goes the way of multicast, which ends within the host
//     (net/ipv4/ip_output.c, ip_mc_output). Every host is a member of 224.0.0.1
//     without telling anybody.
//   - IPv6 decides by the header, so there the destination has to be of
//     interface-local scope: ff01::db8:0:1, from the documentation range of
//     RFC 6676, is dropped behind the rules (net/ipv6/ip6_output.c).
//   - The same multicast is looped back with the pod's interface as the one it
//     arrived by, so it can play a connection from outside. TCP ignores what was
//     not addressed to this host alone (tcp_v4_rcv, pkt_type), so nothing is
//     answered. In two fragments from a socket with IP_NODEFRAG the packet passes
//     conntrack on its way out, and meets nat when it comes in.
//
// A raw socket sees where such a packet is delivered: address, port and mark
// behind all rules. A wrong checksum keeps TCP and UDP from answering it, and
// conntrack does not look at checksums of what this host sends. So packets
// prove which rule decides; real connections, with a secret that travels both
// ways, prove that the decision works. A connection that could leave the pod is
// only tried after the packet before it was captured.
//
// # Whose packets
//
// The owner matches of every backend read the file system ids with which a
// socket was opened. They belong to a thread, so Run sets them on a locked
// thread around each opening and needs no second process. Without CAP_SETUID
// it has only the uid it runs as; the plan then says what could not be done.
package validation
