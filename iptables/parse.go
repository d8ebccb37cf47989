package iptables

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits on what Parse reads. A dump beyond them is refused, not cut.
const (
	maxDumpBytes = 64 << 20
	maxLineBytes = 64 << 10
)

// ParseError says which line of a dump could not be read, and why.
type ParseError struct {
	Line   int // from 1; 0 if the dump as a whole is meant
	Text   string
	Reason string
}

// Error names the line, its text and the reason.
func (e *ParseError) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s: %q", e.Line, e.Reason, clip(e.Text, 120))
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// Parse reads what any iptables-save prints: comments, counters, quotes, tables
// and chains of others, both flavours, and the restore text of this package.
// What it does not model it keeps as Opaque or OpaqueTarget. The family is the
// caller's knowledge, since a dump does not name its own.
//
// It also reads "iptables -S" (-P, -N and -A lines), which belongs to the
// table that the surrounding text names, or nat.
func Parse(family Family, dump string) (Ruleset, error) {
	p := dumpParser{rules: Ruleset{Family: family}, table: Nat, index: map[chainKey]int{}}
	if len(dump) > maxDumpBytes {
		return Ruleset{}, &ParseError{Reason: fmt.Sprintf("a dump of %d bytes is over the limit of %d", len(dump), maxDumpBytes)}
	}
	for number, line := range lines(dump) {
		if reason := p.line(strings.TrimSpace(line)); reason != "" {
			return Ruleset{}, &ParseError{Line: number + 1, Text: line, Reason: reason}
		}
	}
	return p.rules, nil
}

func lines(s string) []string { return strings.Split(s, "\n") }

type chainKey struct {
	table Table
	name  string
}

type dumpParser struct {
	rules Ruleset
	table Table
	index map[chainKey]int
}

// line reads one line and returns what is wrong with it, or "".
func (p *dumpParser) line(line string) string {
	switch {
	case len(line) > maxLineBytes:
		return "line too long"
	case line == "" || line[0] == '#' || line == "COMMIT":
		return ""
	case line[0] == '*':
		p.table = Table(strings.TrimSpace(line[1:]))
		return ""
	case line[0] == ':':
		return p.chainLine(line[1:])
	case line[0] == '[' || strings.HasPrefix(line, "-A "):
		return p.ruleLine(line)
	case strings.HasPrefix(line, "-P "), strings.HasPrefix(line, "-N "):
		return p.declaration(line)
	}
	return "not a line of iptables-save"
}

// chainLine reads ":NAME POLICY [packets:bytes]".
func (p *dumpParser) chainLine(text string) string {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return "a chain line needs a name and a policy"
	}
	c := p.chain(fields[0])
	if fields[1] != "-" {
		c.Policy = Verdict(fields[1])
	}
	if len(fields) > 2 {
		count, ok := parseCounters(fields[2])
		if !ok {
			return "bad counters"
		}
		c.Count = count
	}
	return ""
}

// declaration reads "-P NAME POLICY" and "-N NAME".
func (p *dumpParser) declaration(line string) string {
	fields := strings.Fields(line)
	c := p.chain(fields[1])
	if fields[0] == "-P" {
		if len(fields) < 3 {
			return "-P needs a chain and a policy"
		}
		c.Policy = Verdict(fields[2])
	}
	return ""
}

// ruleLine reads "[packets:bytes] -A CHAIN rule…".
func (p *dumpParser) ruleLine(line string) string {
	var count Counters
	if line[0] == '[' {
		text, rest, _ := strings.Cut(line, " ")
		var ok bool
		if count, ok = parseCounters(text); !ok {
			return "bad counters"
		}
		line = strings.TrimSpace(rest)
	}
	body, found := strings.CutPrefix(line, "-A ")
	if !found {
		return "not a rule"
	}
	name, raw, _ := strings.Cut(strings.TrimSpace(body), " ")
	rule, err := ParseRule(raw)
	if err != nil {
		return err.Error()
	}
	if count != (Counters{}) {
		rule.Count = count
	}
	c := p.chain(name)
	c.Rules = append(c.Rules, rule)
	return ""
}

// chain returns the named chain of the current table, made if need be. The
// pointer is good until the next call.
func (p *dumpParser) chain(name string) *Chain {
	key := chainKey{p.table, name}
	i, ok := p.index[key]
	if !ok {
		i = len(p.rules.Chains)
		p.index[key] = i
		p.rules.Chains = append(p.rules.Chains, Chain{Table: p.table, Name: name})
	}
	return &p.rules.Chains[i]
}

// parseCounters reads "[packets:bytes]".
func parseCounters(s string) (Counters, bool) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	packets, bytes, _ := strings.Cut(s, ":")
	p, err1 := strconv.ParseUint(packets, 10, 64)
	b, err2 := strconv.ParseUint(bytes, 10, 64)
	return Counters{Packets: p, Bytes: b}, err1 == nil && err2 == nil
}
