// Package explain answers what happens to one connection: a sentence, the way
// through every rule, the rule that decided, the setting behind it, and what to
// change if something else was wanted.
//
//	Question ─┐
//	          ├→ Ask → Answer → Text or JSON
//	Subject  ─┘
//
// A subject is rules from anywhere: built from settings, parsed from the dump
// of any tool, or read from a living namespace. A condition that package
// iptables does not model is named, and the walk forks: both ends are shown.
package explain
