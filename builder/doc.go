// Package builder turns settings into rules, and is nothing but the policy of
// interception.
//
//	[]Input → Parse → Config → Build → iptables.Ruleset of a family
//	                         → Decide(packet): the same policy without chains
//
// Settings are parsed once, here: a Config that exists is valid. Each value
// type has one grammar, spoken by flags, environment, files and annotations
// alike. Build and Decide say the policy twice, in the two ways it can be said
// (rules in chains; sentences about a connection), and tests hold them
// together on every kind of packet.
//
// The policy, step by step:
//
//	outbound.go   connections that a process in the pod opens
//	inbound.go    connections that arrive at the pod
//	tproxy.go     the marks of transparent interception
//	dns.go        DNS capture and its conntrack zones
//	decide.go     the policy as one page without chains
//
// Everything is pure: no operating system, no clock, no log.
package builder
