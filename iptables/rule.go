package iptables

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is conditions and a target.
type Rule struct {
	Match  []Match
	Target Target // nil: the rule only counts
	// Comment is carried by the kernel and constrains nothing; "" is none.
	Comment string
	// Why names the setting that made the rule, for people. It is no part of
	// the rule's text or identity.
	Why string
	// Count is what the kernel counted, if the dump said so.
	Count Counters
	// Raw is the text from which the rule was parsed, "" for a rule that was
	// built. A foreign rule is deleted by the words in which it was printed.
	Raw string
}

// Counters are the packets and bytes that a rule matched.
type Counters struct{ Packets, Bytes uint64 }

// String is the rule's canonical text as iptables-save prints it, without the
// leading "-A CHAIN ": addresses, interfaces, protocol, then the other matches
// in their order, the comment, the target. Two rules are equal when their texts are.
func (r Rule) String() string { return strings.Join(r.words(), " ") }

// Equal says whether two rules have the same conditions, comment and target.
func (r Rule) Equal(other Rule) bool { return r.String() == other.String() }

func (r Rule) words() []string {
	proto := r.protocolName()
	var words []string
	for _, m := range headMatches(r.Match) {
		words = append(words, m.words(proto)...)
	}
	words = append(words, tailWords(r.Match, proto)...)
	if r.Comment != "" {
		words = append(words, "-m", "comment", "--comment", saveString(r.Comment))
	}
	if r.Target != nil {
		words = append(words, r.Target.words()...)
	}
	return words
}

// protocolName is the protocol whose module prints the rule's port matches.
func (r Rule) protocolName() string {
	for _, m := range r.Match {
		if p, ok := m.(Protocol); ok && !p.Not {
			return ProtocolName(p.Number)
		}
	}
	return ""
}

// headRank orders the conditions that belong to the packet's header proper and
// not to a match module; -1 for those of a module.
func headRank(m Match) int {
	switch m.(type) {
	case Source:
		return 0
	case Destination:
		return 1
	case InInterface:
		return 2
	case OutInterface:
		return 3
	case Protocol:
		return 4
	}
	return -1
}

func headMatches(matches []Match) []Match {
	var head []Match
	for _, m := range matches {
		if headRank(m) >= 0 {
			head = append(head, m)
		}
	}
	slices.SortStableFunc(head, func(a, b Match) int { return headRank(a) - headRank(b) })
	return head
}

// tailWords prints the module matches; neighbours of the protocol's own module
// share one "-m tcp".
func tailWords(matches []Match, proto string) []string {
	var words []string
	own := false
	for _, m := range matches {
		if headRank(m) >= 0 {
			continue
		}
		was := own
		own = isProtocolMatch(m)
		if own && !was && proto != "" {
			words = append(words, "-m", proto)
		}
		words = append(words, m.words(proto)...)
	}
	return words
}

// isProtocolMatch says whether the module of the rule's protocol prints a match.
func isProtocolMatch(m Match) bool {
	switch m.(type) {
	case SourcePort, DestinationPort, Opening:
		return true
	}
	return false
}

// Validate reports why a rule cannot be rendered: a match or target that
// constrains nothing, or a port match without a protocol. nil if it can.
func (r Rule) Validate() error {
	for _, m := range r.Match {
		if p := m.problem(); p != "" {
			return fmt.Errorf("rule %q: %s", r, p)
		}
		proto := r.protocolName()
		if _, opening := m.(Opening); opening && proto != ProtocolName(ProtoTCP) {
			return fmt.Errorf("rule %q: TCP flags without TCP", r)
		}
		if isProtocolMatch(m) && proto == "" {
			return fmt.Errorf("rule %q: a port without a protocol", r)
		}
	}
	if r.Target != nil {
		if p := r.Target.problem(); p != "" {
			return fmt.Errorf("rule %q: %s", r, p)
		}
	}
	if !singleLine(r.Comment) {
		return fmt.Errorf("rule %q: a comment must be one line of at most 255 bytes", r)
	}
	return nil
}

func singleLine(s string) bool {
	return len(s) <= 255 && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// JumpChain is the chain that the rule jumps or goes to, "" if it does neither.
func (r Rule) JumpChain() string {
	j, _ := r.Target.(JumpTo)
	return j.Chain
}
