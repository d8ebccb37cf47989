package xtables

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

// What a person is told about the choice, word for word; behind "!" the error.
func TestDetectTellsItsReasons(t *testing.T) {
	const (
		none    = "find an iptables backend: no working "
		install = " in /usr/sbin:/sbin; install iptables, or choose another backend; sluice doctor lists what is here"
		lacks   = "find an iptables backend: this process lacks the capability "
		first   = "nft comes first when nothing else decides"
		unread  = "legacy tables of IPv4 hold something that cannot be read here"
		noNFT   = "not nft: no working iptables-nft-save and iptables-nft-restore in /usr/sbin:/sbin"
		noOld   = "not legacy: no working iptables-legacy-save and iptables-legacy-restore in /usr/sbin:/sbin"
		absent  = "find an iptables backend: the kernel has no legacy tables loaded; load them on the host (modprobe ip_tables iptable_nat), or choose the other backend"
		broken  = " in /usr/sbin:/sbin (/usr/sbin/iptables-save: no version); install iptables, or choose another backend; sluice doctor lists what is here"
	)
	for _, c := range []struct {
		host   string
		choice Choice
		want   string
	}{
		{"nft legacy", Auto, first},
		{"nft legacy tables-legacy", Auto, first},
		{"nft legacy unknown-legacy", Auto, first},
		{"nft legacy unasked-legacy", Auto, first + "|" + unread},
		{"nft legacy unasked-nft", Auto, first}, // the chosen one will be read
		{"legacy", Auto, "legacy is the only flavour that works here|" + noNFT},
		{"plain=nft nft legacy no-netraw", Auto, "/usr/sbin/iptables-restore is nft: test|not legacy: this process lacks the capability NET_RAW"},
		{"plain=nft nft legacy error-nft", Auto, "legacy is the only flavour that works here|not nft: no nft"},
		{"plain=legacy nft legacy", Auto, "/usr/sbin/iptables-restore is legacy: test"},
		{"nft legacy own-legacy", Auto, "rules of ours stand in legacy already"},
		{"nft legacy rules-nft", Auto, "other rules of this namespace stand in nft"},
		{"iptables-save=legacy iptables-restore=legacy ip6tables-save=nft ip6tables-restore=nft nft legacy", Auto, "/usr/sbin/iptables-restore is legacy: test"},
		{"iptables-restore=legacy nft legacy", Auto, first}, // half a pair says nothing
		{"iptables-save=nft iptables-restore=legacy nft legacy", Auto, first},
		{"nft unasked-legacy", ChooseNFT, "iptables-nft was asked for|" + unread},
		{"legacy", ChooseLegacy, "iptables-legacy was asked for"},
		{"plain=nft", Plain, "iptables was asked for|/usr/sbin/iptables-restore is nft: test"},
		{"nft error6-nft", ChooseNFT, "iptables-nft was asked for"}, // IPv4 decides
		{"nft legacy no-netadmin", Auto, "!" + lacks + "NET_ADMIN; add NET_ADMIN to the container's securityContext.capabilities"},
		{"legacy no-netraw", ChooseLegacy, "!" + lacks + "NET_RAW; add NET_RAW to the container's securityContext.capabilities"},
		{"plain=legacy no-netraw", Plain, "iptables was asked for|/usr/sbin/iptables-restore is legacy: test!" + lacks + "NET_RAW; add NET_RAW to the container's securityContext.capabilities"},
		{"legacy absent-legacy", ChooseLegacy, "!" + absent},
		{"nft error-nft", ChooseNFT, "!ask: no nft"},
		{"nft legacy", Plain, "!" + none + "iptables-save and iptables-restore" + install},
		{"ip6tables-save=nft ip6tables-restore=nft", Plain, "!" + none + "iptables-save and iptables-restore" + install},
		{"broken", Plain, "!" + none + "iptables-save and iptables-restore" + broken},
		{"iptables-nft-save=nft broken", ChooseLegacy, "!" + none + "iptables-legacy-save and iptables-legacy-restore" + broken},
		{"", Auto, noNFT + "|" + noOld + "!" + none + "iptables-legacy-save and iptables-legacy-restore" + install},
		{"nft error-nft", Auto, "not nft: no nft|" + noOld + "!ask: no nft"},
		{"nft legacy error-nft failure-legacy", Auto, "not nft: no nft|not legacy: strange legacy!ask: no nft"},
		{"nft legacy error-nft no-netraw", Auto, "not nft: no nft|not legacy: this process lacks the capability NET_RAW!" + lacks + "NET_RAW; add NET_RAW to the container's securityContext.capabilities"},
		{"legacy failure-legacy", Auto, noNFT + "|not legacy: strange legacy!read: strange legacy"},
		{"ip6tables-nft-save=nft ip6tables-nft-restore=nft legacy failure-legacy", Auto, noNFT + "|not legacy: strange legacy!read: strange legacy"},
	} {
		_, reasons, err := Detect(host(c.host), c.choice)
		if got := told(reasons, err); got != c.want {
			t.Errorf("%q, %s: got\n%s\nwant\n%s", c.host, c.choice, got, c.want)
		}
	}
}

func told(reasons []Reason, err error) string {
	var words []string
	for _, r := range reasons {
		words = append(words, string(r))
	}
	text := strings.Join(words, "|")
	if err != nil {
		text += "!" + err.Error()
	}
	return text
}

// Which programs a backend runs: for IPv4 save and restore, then for IPv6.
func TestABackendRunsTheProgramsOfItsFlavour(t *testing.T) {
	const (
		nft    = "iptables-nft-save|iptables-nft-restore|ip6tables-nft-save|ip6tables-nft-restore"
		plain  = "iptables-save|iptables-restore|ip6tables-save|ip6tables-restore"
		legacy = "iptables-legacy-save|iptables-legacy-restore|ip6tables-legacy-save|ip6tables-legacy-restore"
		multi  = "xtables-nft-multi iptables-save|xtables-nft-multi iptables-restore|xtables-nft-multi ip6tables-save|xtables-nft-multi ip6tables-restore"
	)
	for _, c := range []struct {
		host   string
		choice Choice
		want   string
	}{
		{"nft legacy", ChooseNFT, nft},
		{"nft legacy", ChooseLegacy, legacy},
		{"plain=nft nft legacy", Auto, nft},
		{"plain=nft nft legacy", Plain, plain},
		{"plain=nft", ChooseNFT, plain},
		{"xtables-nft-multi=nft", Auto, multi},
		{"plain=legacy xtables-nft-multi=nft", ChooseNFT, multi},
		{"iptables-nft-save=nft ip6tables-nft-save=nft plain=nft", ChooseNFT, plain},
		{"iptables-nft-restore=nft ip6tables-nft-restore=nft plain=nft", ChooseNFT, plain},
		{"iptables-save=nft iptables-restore=nft ip6tables-save=legacy ip6tables-restore=legacy nft", Plain, "iptables-save|iptables-restore|ip6tables-nft-save|ip6tables-nft-restore"},
		{"iptables-save=nft iptables-restore=nft ip6tables-restore=nft", Auto, "iptables-save|iptables-restore"},
	} {
		b, _, err := Detect(host(c.host), c.choice)
		if got := programs(b); got != c.want || err != nil {
			t.Errorf("%q, %s: got\n%s, %v\nwant\n%s", c.host, c.choice, got, err, c.want)
		}
	}
}

func programs(b Backend) string {
	var argv []string
	for _, f := range b.Families() {
		for _, tool := range []Tool{b.tools[f].save, b.tools[f].restore} {
			argv = append(argv, strings.TrimPrefix(strings.Join(tool.Argv, " "), "/usr/sbin/"))
		}
	}
	return strings.Join(argv, "|")
}

func TestEveryNameThatAProgramMayHaveIsLookedFor(t *testing.T) {
	want := strings.Fields(`
		iptables-save iptables-restore iptables-nft-save iptables-nft-restore iptables-legacy-save iptables-legacy-restore
		ip6tables-save ip6tables-restore ip6tables-nft-save ip6tables-nft-restore ip6tables-legacy-save ip6tables-legacy-restore
		xtables-nft-multi xtables-legacy-multi`)
	if got := toolNames(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheFirstReadTakesWhatLookHasRead(t *testing.T) {
	env := host("nft legacy")
	dump := iptables.Ruleset{Family: iptables.V6, Chains: []iptables.Chain{{Table: iptables.Nat, Name: "OTHER"}}}
	env.stands(Legacy, func(s *Standing) {
		if s.Family == iptables.V6 {
			s.dump = &dump
		}
	})
	b, _, err := Detect(env, ChooseLegacy)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Read(context.Background(), iptables.V6)
	if _, ok := got.Chain(iptables.Nat, "OTHER"); !ok || err != nil {
		t.Errorf("got %v, %v; want the chain that was read", got, err)
	}
	if len(b.seen) > 0 {
		t.Errorf("%v is kept for a second read", b.seen)
	}
	if other, _, _ := Detect(env, ChooseNFT); len(other.seen) > 0 {
		t.Errorf("the other flavour would return %v", other.seen)
	}
}

func TestOnlyLegacyTablesCanBeKnownToHoldNothing(t *testing.T) {
	for _, c := range []struct {
		flavour Flavour
		asked   bool
		want    bool
	}{{Legacy, true, true}, {Legacy, false, false}, {NFT, true, false}, {NFT, false, false}} {
		s := Standing{Flavour: c.flavour, Asked: c.asked, Tables: []iptables.Table{iptables.Nat}}
		if got := s.empty(); got != c.want {
			t.Errorf("%s, asked %v: got %v, want %v", c.flavour, c.asked, got, c.want)
		}
	}
}

func TestTheWordsOfAWrongProgramAreCutShort(t *testing.T) {
	long := strings.Repeat("x", 200)
	_, _, err := flavourOfVersion(long)
	if want := `--version printed "` + long[:120] + `", which is no version of iptables`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
