package iptablestest

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Why a line is refused. The kernel and the tools refuse the same.
var (
	errNoChain = errors.New("no such chain")
	errNoRule  = errors.New("no such rule in that chain")
	errBuiltin = errors.New("a built-in chain cannot be destroyed")
	errInUse   = errors.New("the chain holds rules or is jumped to")
	errLine    = errors.New("not a line of a script")
)

// table is one table being edited.
type table struct {
	rules iptables.Ruleset
	name  iptables.Table
}

// create makes the built-in chains, as the first use of a table does.
func (t *table) create() {
	for _, name := range t.name.Builtins() {
		if t.chain(name) == nil {
			t.rules.Chains = append(t.rules.Chains, iptables.Chain{Table: t.name, Name: name, Policy: iptables.VerdictAccept})
		}
	}
}

func (t *table) chain(name string) *iptables.Chain {
	for i := range t.rules.Chains {
		if c := &t.rules.Chains[i]; c.Table == t.name && c.Name == name {
			return c
		}
	}
	return nil
}

// line carries out one line of restore text.
func (t *table) line(text string) error {
	if declared, ok := strings.CutPrefix(text, ":"); ok {
		return t.declare(declared)
	}
	verb, rest, _ := strings.Cut(text, " ")
	name, body, _ := strings.Cut(rest, " ")
	c := t.chain(name)
	if c == nil {
		return errNoChain
	}
	if verb == "-X" {
		return t.destroy(c)
	}
	rule, err := iptables.ParseRule(body)
	if err != nil {
		return err
	}
	switch verb {
	case "-A":
		return t.append(c, rule)
	case "-D":
		return remove(c, rule)
	}
	return errLine
}

// declare creates a chain or empties it: ":NAME POLICY [0:0]".
func (t *table) declare(text string) error {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return errLine
	}
	c := t.chain(fields[0])
	if c == nil {
		t.rules.Chains = append(t.rules.Chains, iptables.Chain{Table: t.name, Name: fields[0]})
		return nil
	}
	if c.IsBuiltin() {
		c.Policy = iptables.Verdict(fields[1]) // its rules stay
		return nil
	}
	c.Rules = nil
	return nil
}

func (t *table) append(c *iptables.Chain, r iptables.Rule) error {
	if to := r.JumpChain(); to != "" && t.chain(to) == nil {
		return errNoChain
	}
	c.Rules = append(c.Rules, r)
	return nil
}

// remove deletes the first rule that is equal.
func remove(c *iptables.Chain, r iptables.Rule) error {
	i := slices.IndexFunc(c.Rules, r.Equal)
	if i < 0 {
		return errNoRule
	}
	c.Rules = slices.Delete(c.Rules, i, i+1)
	return nil
}

func (t *table) destroy(c *iptables.Chain) error {
	if c.IsBuiltin() {
		return errBuiltin
	}
	if len(c.Rules) > 0 || t.jumpedTo(c.Name) {
		return errInUse
	}
	name := c.Name
	t.rules.Chains = slices.DeleteFunc(t.rules.Chains, func(c iptables.Chain) bool {
		return c.Table == t.name && c.Name == name
	})
	return nil
}

func (t *table) jumpedTo(name string) bool {
	for _, c := range t.rules.Chains {
		jumps := func(r iptables.Rule) bool { return r.JumpChain() == name }
		if c.Table == t.name && slices.ContainsFunc(c.Rules, jumps) {
			return true
		}
	}
	return false
}
