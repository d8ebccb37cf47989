// Package iptables is the vocabulary of sluice: matches, targets, rules, chains
// and rule sets as plain values, and the pure functions on them.
//
//	Rule.String      the canonical text, as iptables-save prints it
//	Parse            any iptables-save dump → Ruleset
//	Reconcile        what is there and what is wanted → the smallest Script
//	Ruleset.Trace    one packet → its verdict and the rules it met
//
// A value says only what it constrains. The zero value of a match or target
// constrains nothing and is refused when it is rendered: an empty matcher that
// matches everything has turned off whole meshes.
//
// Nothing here reads the environment, runs a program or keeps state; the one
// package that runs programs is iptables/xtables.
package iptables
