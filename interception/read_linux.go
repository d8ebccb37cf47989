package interception

import (
	"context"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/nftables"
)

// Read lists what stands in the calling thread's namespace, backend by
// backend: all rules of the iptables flavours, and of nf_tables our own table.
// A backend in which nothing stands is not listed. Nothing is changed.
func Read(ctx context.Context, o Options) ([]Live, error) {
	nft, err := nftables.Open()
	if err != nil {
		return nil, err
	}
	defer nft.Close()
	ch := look(ctx, nft, o)
	var list []Live
	for _, b := range append(ch.installed(), ch.native) {
		live := Live{Backend: b.name()}
		empty := true
		for _, f := range iptables.Families() {
			if !b.programs(f) {
				continue
			}
			rules, err := counted(ctx, b, f)
			if err != nil {
				return nil, err
			}
			empty = empty && rules.Empty()
			live.Rules = append(live.Rules, rules)
		}
		if !empty {
			list = append(list, live)
		}
	}
	return list, nil
}

// counted reads a backend with its counters. Those of nf_tables come with the
// rules, if the rules count.
func counted(ctx context.Context, b backend, f iptables.Family) (iptables.Ruleset, error) {
	t, ok := b.(tables)
	if !ok {
		return b.read(ctx, f)
	}
	rs, err := t.ReadCounted(ctx, f)
	return withElements(ctx, rs), err
}

// installed are the iptables flavours that can be read here.
func (ch chooser) installed() []backend {
	var list []backend
	for _, c := range []xtables.Choice{xtables.ChooseNFT, xtables.ChooseLegacy} {
		if b, _, err := xtables.Detect(ch.env, c); err == nil {
			list = append(list, tables{b})
		}
	}
	return list
}
