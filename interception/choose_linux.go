package interception

import (
	"errors"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
)

// chooser knows what there is to choose from.
type chooser struct {
	native native
	stands bool  // rules of ours are in nf_tables
	unsure error // why it could not be found out where rules of ours stand
	hidden error // why this process may not find that out
	env    xtables.Env
	// needsIPv6: auto passes over an iptables without ip6tables.
	needsIPv6 bool
	// via is how programs get into the user namespace that owns this network
	// namespace; empty where it is ours.
	via []string
}

// beside adds what there is of iptables.
func (ch chooser) beside(env xtables.Env) chooser {
	ch.env = env
	ch.unsure = errors.Join(ch.unsure, env.Doubt())
	ch.hidden = errors.Join(ch.hidden, env.Hidden())
	return ch
}

// choose picks the backend for a configuration. An explicit choice is carried
// out or is an error; auto stays where rules of ours are, else takes iptables
// if this machine has a usable one, else nf_tables.
func (ch chooser) choose(b builder.Backend) (choice, error) {
	switch {
	case ch.unsure != nil:
		return choice{}, ch.unsure
	case b == builder.BackendNftables:
		return ch.nativeBecause("nftables was asked for"), nil
	case b == builder.BackendAuto && ch.stands:
		return ch.nativeBecause("rules of ours stand in nf_tables already"), nil
	}
	if b == builder.BackendAuto && len(ch.via) > 0 && len(ch.others(xtables.Backend{})) == 0 {
		return ch.nativeBecause("this namespace belongs to another user namespace, which nf_tables need not enter"), nil
	}
	chosen, reasons, err := xtables.Detect(ch.env, xtablesChoice(b))
	switch {
	case b == builder.BackendAuto && xtables.KindOf(err) == xtables.Unusable:
		return ch.nativeBecause("no usable iptables: " + err.Error()), nil
	case err != nil:
		return choice{}, err
	case b == builder.BackendAuto && ch.needsIPv6 && !chosen.Has(iptables.V6):
		return ch.nativeBecause("no usable ip6tables beside " + chosen.String()), nil
	}
	c := choice{backend: tables{chosen.Via(ch.via)}, others: ch.others(chosen)}
	for _, r := range reasons {
		c.why = append(c.why, string(r))
	}
	if ch.stands {
		c.others = append(c.others, ch.native)
	}
	return c, nil
}

func (ch chooser) nativeBecause(why string) choice {
	return choice{backend: ch.native, why: []string{why}, others: ch.others(xtables.Backend{})}
}

func (ch chooser) others(chosen xtables.Backend) []backend {
	var list []backend
	for _, other := range xtables.Others(ch.env, chosen) {
		list = append(list, tables{other})
	}
	return list
}

// present lists the backends in which rules of ours stand, or may stand.
func (ch chooser) present() []backend {
	list := ch.others(xtables.Backend{})
	if ch.stands {
		list = append(list, ch.native)
	}
	return list
}

func xtablesChoice(b builder.Backend) xtables.Choice {
	switch b {
	case builder.BackendIptables:
		return xtables.Plain
	case builder.BackendIptablesNft:
		return xtables.ChooseNFT
	case builder.BackendIptablesLegacy:
		return xtables.ChooseLegacy
	}
	return xtables.Auto
}
