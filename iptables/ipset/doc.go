// Package ipset keeps the kernel sets (ip_set: hash:net and bitmap:port) that rules of the
// iptables backends ask, over netlink.
//
//	Conn.Ensure   the sets that rules need, complete before any rule asks them
//	Conn.Tidy     removes those that no rule needs any more
//	Conn.Check    what differs from what is wanted
//
// A set is named after its contents ([iptables.SetName]), so it never changes
// while a rule uses it: other contents are another set. It is filled under
// another name and renamed when it is complete; a run that is killed leaves no
// half set under a name that a rule asks for.
package ipset
