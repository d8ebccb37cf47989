package builder

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Port is one TCP or UDP port, 1 to 65535. The zero value is no port.
type Port iptables.Port

// Ports is a set of ports in the order in which it was given, free of
// duplicates and overlaps. The zero value is the empty set.
type Ports struct {
	All    bool // every port; Ranges is empty then
	Ranges []iptables.PortRange
}

const (
	acceptedPort  = "a port from 1 to 65535"
	acceptedPorts = "ports from 1 to 65535 and ranges such as 6000-8000, separated by commas"
)

// UnmarshalText accepts a decimal number from 1 to 65535, and nothing else.
func (p *Port) UnmarshalText(text []byte) error {
	s := strings.Trim(string(text), " \t")
	v, wrong := parsePort(s)
	if wrong != "" {
		return &ValueError{s, wrong, acceptedPort}
	}
	*p = Port(v)
	return nil
}

// String is the decimal number.
func (p Port) String() string { return strconv.Itoa(int(p)) }

// parsePort gives 0, and what is wrong, for what is no port.
func parsePort(s string) (p iptables.Port, wrong string) {
	if !digits(s) {
		return 0, "not a decimal port number"
	}
	n, _ := strconv.ParseUint(s, 10, 64) // of too many digits, the greatest
	if n < 1 || n > 65535 {
		return 0, "out of range"
	}
	return iptables.Port(n), ""
}

// UnmarshalText accepts a comma list of ports and ranges (a-b or a:b), or "*"
// alone. Duplicates and overlaps are merged into the place of the first.
func (p *Ports) UnmarshalText(text []byte) error {
	v, _, err := parsePorts(string(text))
	*p = v
	return err
}

// parsePorts is UnmarshalText with its notes.
func parsePorts(text string) (Ports, []string, error) {
	if strings.TrimSpace(text) == "*" {
		return Ports{All: true}, nil, nil
	}
	list, notes, err := parseList(text, parsePortRange)
	if err != nil {
		return Ports{}, notes, err
	}
	return Ports{Ranges: mergeRanges(list)}, notes, nil
}

func parsePortRange(item string) (iptables.PortRange, note, error) {
	none := iptables.PortRange{}
	if item == "*" {
		return none, "", &ValueError{item, "a wildcard inside a list", acceptedPorts}
	}
	first, last, ranged := strings.Cut(item, rangeDash(item))
	if !ranged {
		p, wrong := parsePort(item)
		if wrong != "" {
			return none, "", &ValueError{item, wrong, acceptedPorts}
		}
		return iptables.OnePort(p), "", nil
	}
	a, wrong := parsePort(first)
	b, wrongLast := parsePort(last)
	if wrong = cmp.Or(wrong, wrongLast); wrong != "" {
		return none, "", &ValueError{item, wrong, acceptedPorts}
	}
	if b < a {
		return none, "", &ValueError{item, "reversed range", acceptedPorts}
	}
	return iptables.PortRange{First: a, Last: b}, "", nil
}

func rangeDash(item string) string {
	if strings.Contains(item, ":") {
		return ":"
	}
	return "-"
}

// mergeRanges unites ranges that overlap, in the place of the first of them.
func mergeRanges(list []iptables.PortRange) []iptables.PortRange {
	type placed struct {
		iptables.PortRange
		at int
	}
	sorted := make([]placed, len(list))
	for i, r := range list {
		sorted[i] = placed{r, i}
	}
	slices.SortFunc(sorted, func(a, b placed) int { return cmp.Compare(a.First, b.First) })
	var united []placed
	for _, r := range sorted {
		if n := len(united) - 1; n >= 0 && overlap(united[n].PortRange, r.PortRange) {
			united[n].Last, united[n].at = max(united[n].Last, r.Last), min(united[n].at, r.at)
			continue
		}
		united = append(united, r)
	}
	slices.SortFunc(united, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	var merged []iptables.PortRange
	for _, r := range united {
		merged = append(merged, r.PortRange)
	}
	return merged
}

func overlap(a, b iptables.PortRange) bool { return a.First <= b.Last && b.First <= a.Last }

// String is the input form: "80,6000-8000", "*", or "" for the empty set.
func (p Ports) String() string {
	if p.All {
		return "*"
	}
	texts := make([]string, len(p.Ranges))
	for i, r := range p.Ranges {
		texts[i] = strings.ReplaceAll(r.String(), ":", "-")
	}
	return strings.Join(texts, ",")
}

// Contains says whether the set holds a port.
func (p Ports) Contains(port iptables.Port) bool {
	return p.All || slices.ContainsFunc(p.Ranges, func(r iptables.PortRange) bool { return r.Contains(port) })
}

// Empty says whether the set holds no port.
func (p Ports) Empty() bool { return !p.All && len(p.Ranges) == 0 }
