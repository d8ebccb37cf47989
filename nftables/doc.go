// Package nftables carries the rule values of package iptables to nf_tables:
// one private table, one netlink transaction, no program.
//
//	Translate        two rule sets → the tables that decide alike
//	Tables.String    the same as text for "nft -f"
//	Tables.Rulesets  the way back
//	Changes          what is there and what is wanted → the smallest Plan
//	Conn             the kernel: Read, Apply, Check
//
// # One table
//
// Both families live in the inet table "sluice". A chain of a netfilter table
// is named after both, since one nf_tables table holds them all:
// nat-ISTIO_OUTPUT, mangle-ISTIO_INBOUND, raw-PREROUTING. A rule that both
// families have is there once; a rule of one family says "meta nfproto" or
// compares an address. Linux before 5.2 has no nat in inet tables: there
// [Split] puts the same chains into an ip and an ip6 table, in one transaction.
//
// # What differs from iptables, and how it is kept the same
//
//   - A packet without a socket has no uid: "meta skuid != 1337" does not match
//     it, "! --uid-owner 1337" does. So nothing is ever compared to be unequal to
//     an owner: the packets with that owner go to the rest of the chain, which is
//     a chain of its own (nat-ISTIO_OUTPUT.2), the rule follows without the
//     condition, and behind it all others go to that rest too.
//   - tproxy is no verdict. With a socket, the packet is marked and accepted by
//     the same rule; without one the rule ends there, so a second rule with the
//     same conditions drops the packet, as the TPROXY target does.
//   - Neighbouring rules that differ in one port or one address are one rule
//     with a set, ranges joined: a lookup costs the same for one and for ten
//     thousand.
package nftables
