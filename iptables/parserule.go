package iptables

import (
	"fmt"
	"strings"
)

// ParseRule reads one rule as iptables-save prints it, without "-A CHAIN ".
// Options of modules that are not modelled are kept as Opaque, so nothing is
// lost: a rule either is understood or says that it is not.
func ParseRule(text string) (Rule, error) {
	words, err := SplitWords(text)
	if err != nil {
		return Rule{}, err
	}
	p := ruleParser{words: words}
	for len(p.words) > 0 {
		if err := p.option(); err != nil {
			return Rule{}, err
		}
	}
	p.flush()
	p.rule.Raw = strings.TrimSpace(text)
	return p.rule, nil
}

// ruleParser reads a rule's words from the front.
type ruleParser struct {
	words  []string
	rule   Rule
	module string   // the match module whose options are being read
	opaque []string // the words of a module that is not modelled
}

// option reads one option, with its "!" if it has one.
func (p *ruleParser) option() error {
	not := p.words[0] == "!"
	if not {
		p.words = p.words[1:]
	}
	if len(p.words) == 0 {
		return fmt.Errorf("%q at the end of a rule", "!")
	}
	name := p.words[0]
	if !strings.HasPrefix(name, "-") {
		return fmt.Errorf("%q belongs to no option", name)
	}
	if read := noCondition(name); read != nil {
		if not {
			return fmt.Errorf("%q before %s", "!", name)
		}
		return read(p)
	}
	if name == "-f" || name == "--fragment" { // the one option of the header without a value
		p.fragment(not)
		return nil
	}
	if read := headOption(name); read != nil {
		return p.head(read, not)
	}
	return p.moduleOption(name, not)
}

// noCondition returns the reader of an option that is no condition, nil for
// any other.
func noCondition(name string) func(*ruleParser) error {
	switch name {
	case "-m", "--match":
		return (*ruleParser).startModule
	case "-j", "--jump", "-g", "--goto":
		return (*ruleParser).target
	case "-c", "--set-counters":
		return (*ruleParser).counters
	}
	return nil
}

// counters reads "-c PACKETS BYTES", as "iptables -S -v" prints them.
func (p *ruleParser) counters() error {
	if len(p.words) < 3 {
		return fmt.Errorf("%s without two numbers", p.words[0])
	}
	count, ok := parseCounters(p.words[1] + ":" + p.words[2])
	if !ok {
		return fmt.Errorf("%s without two numbers", p.words[0])
	}
	p.words = p.words[3:]
	p.rule.Count = count
	return nil
}

// value returns the word behind an option's name.
func (p *ruleParser) value() (string, error) {
	if len(p.words) < 2 {
		return "", fmt.Errorf("%s without a value", p.words[0])
	}
	v := p.words[1]
	p.words = p.words[2:]
	return v, nil
}

func (p *ruleParser) add(m Match) { p.rule.Match = append(p.rule.Match, m) }

// flush ends the words of a module that is not modelled.
func (p *ruleParser) flush() {
	if p.opaque != nil {
		p.add(Opaque{Words: p.opaque})
		p.opaque = nil
	}
}

func (p *ruleParser) startModule() error {
	p.flush()
	name, err := p.value()
	if err != nil {
		return err
	}
	p.module = name
	if !modelled(name) {
		p.opaque = []string{"-m", name}
	}
	return nil
}

// head reads an option that needs no module: address, interface, protocol.
func (p *ruleParser) head(read headReader, not bool) error {
	name := p.words[0]
	v, err := p.value()
	if err != nil {
		return err
	}
	m, err := read(v, not)
	if err != nil { // a form that has no place in this model, such as a scattered netmask
		m = Opaque{Words: negate(not, name, v)}
	}
	p.flush()
	if m != nil {
		p.add(m)
	}
	return nil
}

// fragment reads -f, which the model has no place for.
func (p *ruleParser) fragment(not bool) {
	p.flush()
	p.words = p.words[1:]
	p.add(Opaque{Words: negate(not, "-f")})
}

// moduleOption reads an option of the current match module.
func (p *ruleParser) moduleOption(name string, not bool) error {
	if p.opaque == nil {
		if p.module == "" { // as the tools do: -p tcp brings -m tcp along
			p.module = p.rule.protocolName()
		}
		if p.module == "" {
			return fmt.Errorf("%s belongs to no match", name)
		}
		if read := moduleOption(p.module, name); read != nil && p.moduleFits() {
			return read(p, not)
		}
		p.opaque = []string{"-m", p.module}
	}
	p.keep(not)
	return nil
}

// moduleFits: the ports of a protocol are understood behind that protocol only.
func (p *ruleParser) moduleFits() bool {
	if p.module == "tcp" || p.module == "udp" {
		return p.module == p.rule.protocolName()
	}
	return true
}

// keep carries one option along unread: its name and the values up to the next option.
func (p *ruleParser) keep(not bool) {
	if not {
		p.opaque = append(p.opaque, "!")
	}
	p.opaque = append(p.opaque, p.words[0])
	p.words = p.words[1:]
	for len(p.words) > 0 && p.words[0] != "!" && !strings.HasPrefix(p.words[0], "-") {
		p.opaque = append(p.opaque, p.words[0])
		p.words = p.words[1:]
	}
}

// target reads -j or -g and everything behind it, which is the target's.
func (p *ruleParser) target() error {
	option := p.words[0]
	name, err := p.value()
	if err != nil {
		return err
	}
	p.rule.Target = parseTarget(name, p.words)
	if option == "-g" || option == "--goto" {
		p.rule.Target = JumpTo{Chain: name, Goto: true}
	}
	p.words = nil
	return nil
}
