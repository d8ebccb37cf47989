package iptables

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// modelled says whether the options of a match module are understood.
func modelled(module string) bool {
	switch module {
	case "tcp", "udp", "multiport", "owner", "mark", "connmark", "conntrack", "state", "socket", "set", "comment":
		return true
	}
	return false
}

type optionReader func(p *ruleParser, not bool) error

// reading makes an option reader of a function on the option's value. A value
// that the function does not understand leaves the option opaque.
func reading(read func(value string, not bool) (Match, error)) optionReader {
	return func(p *ruleParser, not bool) error {
		option := p.words[0]
		v, err := p.value()
		if err != nil {
			return err
		}
		m, err := read(v, not)
		if err != nil {
			m = Opaque{Words: module(p.module, negate(not, option, v))}
		}
		p.add(m)
		return nil
	}
}

// moduleOption returns the reader of a module's option; nil makes the module
// opaque.
func moduleOption(module, option string) optionReader {
	switch module {
	case "tcp", "udp":
		return protocolOption(module, option)
	case "multiport":
		return multiportOption(option)
	case "socket":
		return socketOption(option)
	}
	switch module + " " + option {
	case "owner --uid-owner":
		return reading(parseUIDOwner)
	case "owner --gid-owner":
		return reading(parseGIDOwner)
	case "mark --mark":
		return reading(parsePacketMark)
	case "connmark --mark":
		return reading(parseConnMark)
	case "conntrack --ctstate", "state --state":
		return reading(parseConnState)
	case "conntrack --ctdir":
		return reading(parseConnDirection)
	case "set --match-set":
		return matchSet
	case "comment --comment":
		return comment
	}
	return nil
}

func protocolOption(module, option string) optionReader {
	switch module + " " + option {
	case "tcp --syn":
		return func(p *ruleParser, not bool) error {
			p.words = p.words[1:]
			p.add(Opening{not})
			return nil
		}
	case "tcp --tcp-flags":
		return tcpFlags
	}
	return portOption(option)
}

// tcpFlags reads "MASK FLAGS". All but those of --syn stay opaque.
func tcpFlags(p *ruleParser, not bool) error {
	if len(p.words) < 3 {
		return errors.New("--tcp-flags needs two lists of flags")
	}
	mask, flags := p.words[1], p.words[2]
	p.words = p.words[3:]
	if mask == openingMask && flags == openingFlag {
		p.add(Opening{not})
		return nil
	}
	p.add(Opaque{Words: module(p.module, negate(not, "--tcp-flags", mask, flags))})
	return nil
}

func portOption(option string) optionReader {
	switch option {
	case "--sport", "--source-port":
		return reading(func(v string, not bool) (Match, error) {
			r, err := parsePortRange(v)
			return SourcePort{r, not}, err
		})
	case "--dport", "--destination-port":
		return reading(func(v string, not bool) (Match, error) {
			r, err := parsePortRange(v)
			return DestinationPort{r, not}, err
		})
	}
	return nil
}

func multiportOption(option string) optionReader {
	switch option {
	case "--sports", "--source-ports":
		return multiport(SrcSide)
	case "--dports", "--destination-ports":
		return multiport(DstSide)
	case "--ports":
		return multiport(Either)
	}
	return nil
}

func socketOption(option string) optionReader {
	if option == "--transparent" || option == "--nowildcard" {
		return socketFlag
	}
	return nil
}

func multiport(side Side) optionReader {
	return reading(func(v string, not bool) (Match, error) {
		var ranges []PortRange
		for _, text := range strings.Split(v, ",") {
			r, err := parsePortRange(text)
			if err != nil {
				return nil, err
			}
			ranges = append(ranges, r)
		}
		return MultiPort{side, ranges, not}, nil
	})
}

// parsePortRange reads "80", "80:90", ":90" and "80:"; the kernel's range is 0 to 65535.
func parsePortRange(s string) (PortRange, error) {
	first, last, ranged := strings.Cut(s, ":")
	if ranged && first == "" {
		first = "0"
	}
	if ranged && last == "" {
		last = "65535"
	}
	if !ranged {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return PortRange{}, err
	}
	b, err := strconv.ParseUint(last, 10, 16)
	return PortRange{Port(a), Port(b)}, err
}

func parseUIDOwner(v string, not bool) (Match, error) {
	r, err := parseIDRange(v)
	return UIDOwner{r, not}, err
}

func parseGIDOwner(v string, not bool) (Match, error) {
	r, err := parseIDRange(v)
	return GIDOwner{r, not}, err
}

func parseIDRange(s string) (IDRange, error) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return IDRange{}, err
	}
	b, err := strconv.ParseUint(last, 10, 32)
	return IDRange{uint32(a), uint32(b)}, err
}

func parsePacketMark(v string, not bool) (Match, error) {
	value, mask, err := parseMarkMask(v)
	return PacketMark{value, mask, not}, err
}

func parseConnMark(v string, not bool) (Match, error) {
	value, mask, err := parseMarkMask(v)
	return ConnMark{value, mask, not}, err
}

// parseMarkMask reads "0x539" and "0x539/0xff".
func parseMarkMask(s string) (value, mask uint32, err error) {
	text, maskText, masked := strings.Cut(s, "/")
	v, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		return 0, 0, err
	}
	if !masked {
		return uint32(v), math.MaxUint32, nil
	}
	m, err := strconv.ParseUint(maskText, 0, 32)
	return uint32(v), uint32(m), err
}

func parseConnState(v string, not bool) (Match, error) {
	var states []State
	for _, text := range strings.Split(v, ",") {
		s := State(strings.ToUpper(text))
		switch s {
		case StateNew, StateEstablished, StateRelated, StateInvalid, StateUntracked:
			states = append(states, s)
		default: // SNAT and DNAT are no packet states of this model
			return Opaque{Words: module("conntrack", negate(not, "--ctstate", v))}, nil
		}
	}
	return ConnState{orderStates(states), not}, nil
}

// orderStates puts states in the order in which iptables-save prints them.
func orderStates(states []State) []State {
	var ordered []State
	for _, s := range []State{StateInvalid, StateNew, StateRelated, StateEstablished, StateUntracked} {
		if slices.Contains(states, s) {
			ordered = append(ordered, s)
		}
	}
	return ordered
}

func parseConnDirection(v string, not bool) (Match, error) {
	switch strings.ToUpper(v) {
	case "ORIGINAL":
		return ConnDirection{Reply: not}, nil
	case "REPLY":
		return ConnDirection{Reply: !not}, nil
	}
	return nil, errors.New("a direction is ORIGINAL or REPLY")
}

// socketFlag reads the two options of -m socket, which have no value.
func socketFlag(p *ruleParser, _ bool) error {
	option := p.words[0]
	p.words = p.words[1:]
	var m TransparentSocket
	if n := len(p.rule.Match); n > 0 {
		if before, ok := p.rule.Match[n-1].(TransparentSocket); ok {
			m = before
			p.rule.Match = p.rule.Match[:n-1]
		}
	}
	if option == "--nowildcard" {
		m.NoWildcard = true
	}
	p.add(m)
	return nil
}

// matchSet reads "NAME src|dst"; sets of more dimensions stay opaque. What a set
// holds is not in the text: ports, if its name is one that PortSetName gives,
// else addresses are supposed.
func matchSet(p *ruleParser, not bool) error {
	if len(p.words) < 3 {
		return errors.New("--match-set needs a name and a side")
	}
	name, side := p.words[1], Side(p.words[2])
	p.words = p.words[3:]
	if side != SrcSide && side != DstSide {
		p.add(Opaque{Words: module("set", negate(not, "--match-set", name, string(side)))})
		return nil
	}
	if strings.HasPrefix(name, SetPrefix+portSets) {
		p.add(PortInSet{Name: name, Side: side, Not: not})
		return nil
	}
	p.add(InSet{Name: name, Side: side, Not: not})
	return nil
}

func comment(p *ruleParser, _ bool) error {
	v, err := p.value()
	p.rule.Comment = v
	return err
}
