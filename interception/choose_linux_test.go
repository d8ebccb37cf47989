package interception

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/nftables"
)

type tools map[string]xtables.Tool

// toolsOf are the programs of a flavour, under its own names.
func toolsOf(flavour xtables.Flavour) tools {
	all := tools{}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, verb := range []string{"save", "restore"} {
			name := family + "-" + string(flavour) + "-" + verb
			all[name] = xtables.Tool{Argv: []string{"/sbin/" + name}, Flavour: flavour}
		}
	}
	return all
}

func nftTools() tools    { return toolsOf(xtables.NFT) }
func legacyTools() tools { return toolsOf(xtables.Legacy) }

func both() tools {
	all := nftTools()
	maps.Copy(all, legacyTools())
	return all
}

func without(all tools, name string) tools {
	delete(all, name)
	return all
}

// plain adds the names without a flavour, as a link to one.
func plain(all tools, flavour xtables.Flavour) tools {
	for name, t := range toolsOf(flavour) {
		t.How = "it is " + name
		all[strings.Replace(name, "-"+string(flavour), "", 1)] = t
	}
	return all
}

// env is a machine with these programs, in whose namespace ours stand in the
// given flavours.
func env(all tools, ours ...xtables.Flavour) xtables.Env {
	e := xtables.Env{Tools: all, Path: []string{"/sbin"}}
	for _, flavour := range xtables.Flavours() {
		for _, f := range iptables.Families() {
			own := slices.Contains(ours, flavour)
			e.Standing = append(e.Standing, xtables.Standing{Flavour: flavour, Family: f, Asked: true, Own: own, Rules: own})
		}
	}
	return e
}

func powerless(e xtables.Env) xtables.Env {
	e.NoNetAdmin = true
	return e
}

func TestTheBackendIsTheOneThatWasAskedForOrTheOneThatIsInUse(t *testing.T) {
	outside := []string{"nsenter"}
	for _, c := range []struct {
		name string
		ask  builder.Backend
		ch   chooser
		want string // backend, and what is removed after it
		why  string
	}{
		{"auto on an empty machine", builder.BackendAuto, chooser{env: env(nil)}, "nftables", "no usable iptables"},
		{"auto beside iptables", builder.BackendAuto, chooser{env: env(both())}, "iptables-nft", "comes first"},
		{"auto stays in nf_tables", builder.BackendAuto, chooser{env: env(both()), stands: true}, "nftables", "stand in nf_tables already"},
		{"auto stays in nf_tables and takes the rest away", builder.BackendAuto, chooser{env: env(both(), xtables.Legacy), stands: true}, "nftables -iptables-legacy", "already"},
		{"auto stays in legacy", builder.BackendAuto, chooser{env: env(both(), xtables.Legacy)}, "iptables-legacy", "stand in legacy already"},
		{"auto needs ip6tables", builder.BackendAuto, chooser{env: env(without(nftTools(), "ip6tables-nft-save")), needsIPv6: true}, "nftables", "no usable ip6tables beside iptables-nft"},
		{"auto without IPv6 does not", builder.BackendAuto, chooser{env: env(without(nftTools(), "ip6tables-nft-save"))}, "iptables-nft", ""},
		{"auto in another's user namespace", builder.BackendAuto, chooser{env: env(both()), via: outside}, "nftables", "another user namespace"},
		{"auto stays there too", builder.BackendAuto, chooser{env: env(both(), xtables.NFT), via: outside}, "iptables-nft", "stand in nft already"},
		{"there too iptables may be asked for", builder.BackendIptablesNft, chooser{env: env(both()), via: outside}, "iptables-nft", "asked for"},
		{"nftables was asked for", builder.BackendNftables, chooser{env: env(both(), xtables.NFT, xtables.Legacy), stands: true}, "nftables -iptables-nft -iptables-legacy", "asked for"},
		{"nftables without capability: the kernel says", builder.BackendNftables, chooser{env: powerless(env(both()))}, "nftables", "asked for"},
		{"iptables-nft was asked for", builder.BackendIptablesNft, chooser{env: env(both(), xtables.Legacy), stands: true}, "iptables-nft -iptables-legacy -nftables", "asked for"},
		{"iptables-legacy was asked for", builder.BackendIptablesLegacy, chooser{env: env(both(), xtables.NFT)}, "iptables-legacy -iptables-nft", "asked for"},
		{"iptables was asked for, which is legacy", builder.BackendIptables, chooser{env: env(plain(both(), xtables.Legacy))}, "iptables-legacy", "asked for"},
	} {
		got, err := c.ch.choose(c.ask)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		names := got.name()
		for _, o := range got.others {
			names += " -" + o.name()
		}
		if names != c.want || !strings.Contains(strings.Join(got.why, "; "), c.why) {
			t.Errorf("%s: got %s because %q, want %s because %q", c.name, names, got.why, c.want, c.why)
		}
	}
}

func TestNoBackendIsChosenInTheDarkOrAgainstAWish(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  builder.Backend
		ch   chooser
		want Kind
	}{
		{"it is not known what stands", builder.BackendNftables, chooser{env: env(both()), unsure: errInjected}, Failed},
		{"no capability", builder.BackendAuto, chooser{env: powerless(env(both()))}, Forbidden},
		{"no capability for what was asked", builder.BackendIptablesNft, chooser{env: powerless(env(both()))}, Forbidden},
		{"not installed", builder.BackendIptablesLegacy, chooser{env: env(nftTools())}, Unavailable},
		{"nothing installed", builder.BackendIptables, chooser{env: env(nil)}, Unavailable},
	} {
		got, err := c.ch.choose(c.ask)
		if err == nil || got.backend != nil || KindOf(err) != c.want {
			t.Errorf("%s: got %v and %v of kind %d, want an error of kind %d", c.name, got, err, KindOf(err), c.want)
		}
	}
}

func TestNfTablesIsProgrammedAsTheRunWants(t *testing.T) {
	counting := native{opts: nftables.Options{Counters: true}}
	got, err := chooser{env: env(nil), native: counting}.choose(builder.BackendAuto)
	must(t, err)
	if got.backend != counting {
		t.Errorf("got %+v, want %+v", got.backend, counting)
	}
}

// Only what writes is started from inside the other user namespace.
func TestProgramsThatWriteAreStartedFromInsideTheOwner(t *testing.T) {
	ch := chooser{env: env(both(), xtables.NFT), via: []string{"nsenter-of-the-test"}}
	got, err := ch.choose(builder.BackendAuto)
	must(t, err)
	err = got.backend.(tables).Restore(t.Context(), iptables.V4, iptables.Script{})
	if err == nil || !strings.Contains(err.Error(), "nsenter-of-the-test") {
		t.Errorf("got %v, want that nsenter is missing", err)
	}
}

func TestACleanUpVisitsWhereverOursStand(t *testing.T) {
	for want, ch := range map[string]chooser{
		"":                                      {env: env(both())},
		"nftables":                              {env: env(both()), stands: true},
		"iptables-legacy":                       {env: env(both(), xtables.Legacy)},
		"iptables-nft iptables-legacy nftables": {env: env(both(), xtables.NFT, xtables.Legacy), stands: true},
	} {
		if got := names(ch.present()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func names(list []backend) string {
	var all []string
	for _, b := range list {
		all = append(all, b.name())
	}
	return strings.Join(all, " ")
}

func TestWhatCannotBeSeenOfIptablesIsRemembered(t *testing.T) {
	doubtful, hidden := env(both()), env(both())
	doubtful.Standing[0].Err = errInjected
	hidden.Standing[0].Err = &xtables.Error{Kind: xtables.Capability, Op: "list", Err: fs.ErrPermission}
	first := errors.New("first")
	ch := chooser{unsure: first}.beside(doubtful)
	if !errors.Is(ch.unsure, errInjected) || !errors.Is(ch.unsure, first) || ch.hidden != nil || len(ch.env.Tools) == 0 {
		t.Errorf("doubt: got %v and %v", ch.unsure, ch.hidden)
	}
	ch = chooser{hidden: first}.beside(hidden)
	if !errors.Is(ch.hidden, fs.ErrPermission) || !errors.Is(ch.hidden, first) || ch.unsure != nil {
		t.Errorf("hidden: got %v and %v", ch.hidden, ch.unsure)
	}
	if ch := (chooser{}).beside(env(both())); ch.unsure != nil || ch.hidden != nil {
		t.Errorf("neither: got %v and %v", ch.unsure, ch.hidden)
	}
}
