package xtables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Reason is one fact that led to the choice of a backend, as a short sentence.
type Reason string

// Detect chooses the backend. It is a pure function of its arguments.
//
// A choice other than Auto is carried out or is an error. Auto stays where rules
// of ours stand already, so that a second run never changes sides; else it goes
// where other rules stand; else it takes what the name iptables stands for; else
// nft before legacy. What the kernel or the capabilities rule out is skipped.
func Detect(env Env, choice Choice) (Backend, []Reason, error) {
	if env.NoNetAdmin {
		return Backend{}, nil, noCapability("NET_ADMIN")
	}
	d := detector{env: env}
	choose := d.auto
	if choice != Auto {
		choose = func() (Backend, []Reason, error) { return d.explicit(choice) }
	}
	b, reasons, err := choose()
	return b, append(reasons, d.unread(b.Flavour)...), err
}

// Others returns the backends in whose flavour rules of ours stand although
// another was chosen. They are removed once the chosen one is verified, so that
// no moment is without rules.
func Others(env Env, chosen Backend) []Backend {
	others := detector{env: env}.where(owns)
	return slices.DeleteFunc(others, func(b Backend) bool { return b.Flavour == chosen.Flavour })
}

// Present returns a backend for every flavour in which rules of ours stand, or
// may stand because nobody could look: what a clean-up has to visit.
func Present(env Env) []Backend { return detector{env: env}.where(mayOwn) }

// where lists the backends of which some family has a property.
func (d detector) where(has func(Standing) bool) []Backend {
	var found []Backend
	for _, flavour := range Flavours() {
		if d.env.any(flavour, has) {
			found = append(found, d.backend(flavour))
		}
	}
	return found
}

type detector struct{ env Env }

func (d detector) explicit(choice Choice) (Backend, []Reason, error) {
	asked := Reason(fmt.Sprintf("%s was asked for", choice))
	if choice == Plain {
		p := d.env.plainPair(iptables.V4)
		if p.restore.Flavour == "" {
			return Backend{}, nil, d.noTools("iptables-save and iptables-restore")
		}
		b := d.plainBackend(p.restore.Flavour)
		return b, []Reason{asked, plainReason(p)}, d.obstacle(b.Flavour)
	}
	flavour := NFT
	if choice == ChooseLegacy {
		flavour = Legacy
	}
	if err := d.unusable(flavour); err != nil {
		return Backend{}, nil, err
	}
	return d.backend(flavour), []Reason{asked}, nil
}

func (d detector) auto() (Backend, []Reason, error) {
	p := d.env.plainPair(iptables.V4)
	prefer := Flavours()
	if p.restore.Flavour == Legacy {
		prefer = []Flavour{Legacy, NFT}
	}
	for _, flavour := range prefer {
		if d.env.any(flavour, owns) {
			reason := Reason(fmt.Sprintf("rules of ours stand in %s already", flavour))
			return d.backend(flavour), []Reason{reason}, d.unusable(flavour)
		}
	}
	var skipped []Reason
	var usable []Flavour
	for _, flavour := range prefer {
		if err := d.unusable(flavour); err != nil {
			skipped = append(skipped, Reason(fmt.Sprintf("not %s: %s", flavour, brief(err))))
			continue
		}
		usable = append(usable, flavour)
	}
	if len(usable) == 0 {
		return Backend{}, skipped, d.nothing()
	}
	flavour, why := d.among(usable, p)
	return d.backend(flavour), append([]Reason{why}, skipped...), nil
}

// unread says that tables hold something that nobody here can read.
func (d detector) unread(chosen Flavour) []Reason {
	for _, s := range d.env.Standing {
		if s.Flavour != chosen && len(s.Tables) > 0 && !s.Asked {
			return []Reason{Reason(fmt.Sprintf("%s tables of %s hold something that cannot be read here", s.Flavour, s.Family))}
		}
	}
	return nil
}

// among picks one of the usable flavours, best first.
func (d detector) among(usable []Flavour, plain pair) (Flavour, Reason) {
	var inUse []Flavour
	for _, f := range usable {
		if d.env.any(f, hasRules) {
			inUse = append(inUse, f)
		}
	}
	first := usable[0]
	switch {
	case len(inUse) == 1:
		return inUse[0], Reason(fmt.Sprintf("other rules of this namespace stand in %s", inUse[0]))
	case plain.restore.Flavour == first:
		return first, plainReason(plain)
	case len(usable) == 1:
		return first, Reason(fmt.Sprintf("%s is the only flavour that works here", first))
	}
	return first, Reason(fmt.Sprintf("%s comes first when nothing else decides", first))
}

func plainReason(p pair) Reason {
	return Reason(fmt.Sprintf("%s is %s: %s", p.restore.Argv[0], p.restore.Flavour, p.restore.How))
}

// unusable says why a flavour cannot be used, or nil.
func (d detector) unusable(flavour Flavour) error {
	if _, ok := d.env.pairOf(flavour, iptables.V4); !ok {
		return d.noTools(fmt.Sprintf("iptables-%s-save and iptables-%s-restore", flavour, flavour))
	}
	return d.obstacle(flavour)
}

// obstacle says why a flavour cannot be used although its programs are there.
func (d detector) obstacle(flavour Flavour) error {
	if flavour == Legacy && d.env.NoNetRaw {
		return noCapability("NET_RAW")
	}
	s := d.env.standing(flavour, iptables.V4)
	if s.Err != nil {
		return s.Err
	}
	if s.Absent {
		return &Error{
			Kind: Unusable, Op: "find an iptables backend",
			Words: fmt.Sprintf("the kernel has no %s tables loaded", flavour),
			Hint:  "load them on the host (modprobe ip_tables iptable_nat), or choose the other backend",
		}
	}
	return nil
}

func (d detector) noTools(names string) error {
	return &Error{
		Kind: Unusable, Op: "find an iptables backend",
		Words: fmt.Sprintf("no working %s in %s%s", names, strings.Join(d.env.Path, ":"), d.broken()),
		Hint:  "install iptables, or choose another backend; sluice doctor lists what is here",
	}
}

// broken tells of programs that are there but do not say what they are.
func (d detector) broken() string {
	for _, name := range toolNames() {
		if t := d.env.Tools[name]; t.Err != nil {
			return fmt.Sprintf(" (%s: %s)", strings.Join(t.Argv, " "), t.Err)
		}
	}
	return ""
}

// nothing is the error when no flavour is left. A capability comes first: with
// it the rest might work.
func (d detector) nothing() error {
	var last error
	for _, f := range Flavours() {
		last = d.unusable(f)
		if KindOf(last) == Capability {
			return last
		}
	}
	if _, ok := d.env.pairOf(NFT, iptables.V4); ok {
		return d.unusable(NFT)
	}
	return last
}

func noCapability(name string) error {
	return &Error{
		Kind: Capability, Op: "find an iptables backend",
		Words: "this process lacks the capability " + name,
		Hint:  "add " + name + " to the container's securityContext.capabilities",
	}
}

// backend makes the backend of a flavour from what was found.
func (d detector) backend(flavour Flavour) Backend {
	b := Backend{Flavour: flavour, tools: map[iptables.Family]pair{}, seen: d.seen(flavour)}
	for _, family := range iptables.Families() {
		if p, ok := d.env.pairOf(flavour, family); ok {
			b.tools[family] = p
		}
	}
	return b
}

// plainBackend uses the plain names even where the flavour's own exist.
func (d detector) plainBackend(flavour Flavour) Backend {
	b := d.backend(flavour)
	for _, family := range iptables.Families() {
		if p := d.env.plainPair(family); p.restore.Flavour == flavour {
			b.tools[family] = p
		}
	}
	return b
}

func (d detector) seen(flavour Flavour) map[iptables.Family]iptables.Ruleset {
	seen := map[iptables.Family]iptables.Ruleset{}
	for _, s := range d.env.Standing {
		if s.Flavour == flavour && s.dump != nil {
			seen[s.Family] = *s.dump
		}
	}
	return seen
}
