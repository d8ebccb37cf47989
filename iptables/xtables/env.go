package xtables

import "github.com/sluicemesh/sluice/iptables"

// Env is what there is to know before a backend is chosen. Look finds it out;
// tests write it down. Detect depends on nothing else.
type Env struct {
	// Tools holds what was found, by the name it was looked for. A name that
	// was not found is absent.
	Tools map[string]Tool
	// Standing says what stands in the namespace, one for each flavour and family.
	Standing []Standing
	// NoNetAdmin and NoNetRaw say that the process lacks the capability.
	NoNetAdmin, NoNetRaw bool
	// Path is where tools were looked for, for error messages.
	Path []string
}

// Tool is one program.
type Tool struct {
	Argv    []string // how it is started
	Flavour Flavour  // "" if that could not be told
	How     string   // how the flavour is known: "links to /usr/sbin/xtables-nft-multi"
	Err     error    // why the flavour is not known
}

// Standing is what the kernel holds of one flavour in one family.
type Standing struct {
	Flavour Flavour
	Family  iptables.Family
	// Tables are the tables that exist. Asking a legacy tool about any other
	// would create it.
	Tables []iptables.Table
	// Rules says that some chain holds a rule, whoever made it.
	Rules bool
	// Own says that a chain of ours is among them. It and Rules are known only
	// if Asked is set; legacy tables with contents need the legacy programs.
	Own, Asked bool
	// Absent says that the kernel has nothing of this flavour loaded.
	Absent bool
	// Err is why the kernel could not be asked.
	Err error
	// dump is what was read to answer, so that it need not be read again.
	dump *iptables.Ruleset
}

// standing returns the facts on one flavour and family.
func (e Env) standing(flavour Flavour, family iptables.Family) Standing {
	for _, s := range e.Standing {
		if s.Flavour == flavour && s.Family == family {
			return s
		}
	}
	return Standing{}
}

// Doubt is why it is not known what stands here, although it could be: rules of
// ours that were overlooked would stay.
func (e Env) Doubt() error { return e.refusal(Failed) }

// Hidden is why this process may not see what stands here. It can't have put
// it there either, but it must not say that nothing is left.
func (e Env) Hidden() error { return e.refusal(Capability) }

// refusal is the first of a kind. What the kernel lacks refuses too, but holds
// no rules.
func (e Env) refusal(k Kind) error {
	for _, s := range e.Standing {
		if s.Err != nil && KindOf(s.Err) == k {
			return s.Err
		}
	}
	return nil
}

// any says whether some family of a flavour has a property.
func (e Env) any(flavour Flavour, has func(Standing) bool) bool {
	for _, s := range e.Standing {
		if s.Flavour == flavour && has(s) {
			return true
		}
	}
	return false
}

func owns(s Standing) bool     { return s.Own }
func hasRules(s Standing) bool { return s.Rules }

// mayOwn: ours are there, or nobody could look.
func mayOwn(s Standing) bool { return s.Own || len(s.Tables) > 0 && !s.Asked }

// empty: tables may exist, but the kernel itself says that they hold neither
// rule nor chain of anyone. Of nft that cannot be said, where only chains are
// looked at. It holds for what ask returns, before any program is asked.
func (s Standing) empty() bool { return s.Flavour == Legacy && s.Asked }

// command is the beginning of a tool's name in a family.
func command(f iptables.Family) string {
	if f == iptables.V6 {
		return "ip6tables"
	}
	return "iptables"
}

// pair is the two programs of one family.
type pair struct{ save, restore Tool }

// plainPair returns what the names without a flavour stand for: nothing, which
// has no flavour, unless both stand for the same.
func (e Env) plainPair(f iptables.Family) pair {
	save, restore := e.Tools[command(f)+"-save"], e.Tools[command(f)+"-restore"]
	if save.Flavour != restore.Flavour {
		return pair{}
	}
	return pair{save, restore}
}

// pairOf returns the programs of a flavour: under the flavour's own names, else
// under the plain names, else as the first argument of the one program that all
// these names link to.
func (e Env) pairOf(flavour Flavour, f iptables.Family) (pair, bool) {
	name := command(f) + "-" + string(flavour)
	save, ok1 := e.Tools[name+"-save"]
	restore, ok2 := e.Tools[name+"-restore"]
	if ok1 && ok2 {
		return pair{save, restore}, true
	}
	if p := e.plainPair(f); p.restore.Flavour == flavour {
		return p, true
	}
	if multi, ok := e.Tools[multiName(flavour)]; ok {
		return pair{multi.with(command(f) + "-save"), multi.with(command(f) + "-restore")}, true
	}
	return pair{}, false
}

func (t Tool) with(arg string) Tool {
	t.Argv = append(append([]string(nil), t.Argv...), arg)
	return t
}

func multiName(f Flavour) string { return "xtables-" + string(f) + "-multi" }

// toolNames lists every name that is looked for.
func toolNames() []string {
	var names []string
	for _, family := range iptables.Families() {
		for _, infix := range []string{"", "-nft", "-legacy"} {
			for _, suffix := range []string{"-save", "-restore"} {
				names = append(names, command(family)+infix+suffix)
			}
		}
	}
	return append(names, multiName(NFT), multiName(Legacy))
}
