// Package graph draws rules as a picture: hooks on the left, chains in the
// middle, outcomes on the right, rules in words with their text below.
//
//	iptables.Ruleset → Of → Picture → SVG, DOT or Mermaid
//
// The layout is computed here, so that no other program is needed for SVG, and
// the same rules give the same bytes.
package graph
