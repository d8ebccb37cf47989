package mesh

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// Backend is a way in which rules reach the kernel.
type Backend struct {
	// Name is how --backend spells it.
	Name string
	// Flags are what it takes beside that for rules that count.
	Flags []string

	counters func(t testing.TB, pod *rig.Namespace) []Counter
}

// String is the backend's name.
func (b Backend) String() string { return b.Name }

// Backends lists all.
func Backends() []Backend {
	return []Backend{native(), xtables(rig.NFT), xtables(rig.Legacy)}
}

// Counters are the packets that each rule of ours in the pod has seen.
func (b Backend) Counters(t testing.TB, pod *rig.Namespace) []Counter {
	t.Helper()
	return b.counters(t, pod)
}

// Counter is one rule and the packets that it matched, of both families if the
// family is 0. A connection counts once
// in table nat, which sees only its first packet.
type Counter struct {
	Family  rig.Family
	Table   string
	Rule    string
	Packets uint64
}

// Moved lists the rules that matched between two looks, in their order.
func Moved(before, after []Counter) []Counter {
	type key struct {
		family      rig.Family
		table, rule string
	}
	was := map[key]uint64{}
	for _, c := range before {
		was[key{c.Family, c.Table, c.Rule}] = c.Packets
	}
	var moved []Counter
	for _, c := range after {
		c.Packets -= min(c.Packets, was[key{c.Family, c.Table, c.Rule}])
		if c.Packets > 0 {
			moved = append(moved, c)
		}
	}
	return moved
}

func native() Backend {
	return Backend{Name: "nftables", Flags: []string{"--counters"}, counters: func(t testing.TB, pod *rig.Namespace) []Counter {
		t.Helper()
		r := pod.Run(rig.Root, "nft", "list", "ruleset")
		if r.Err != nil {
			t.Fatalf("read counters: %v: %s", r.Err, r.Stderr)
		}
		return parseNftCounters(r.Stdout)
	}}
}

// parseNftCounters reads the lines "… counter packets N bytes M …" of a rule
// set's listing. The rule is shown with its chain and without its counter.
func parseNftCounters(ruleset string) []Counter {
	counter := regexp.MustCompile(`counter packets (\d+) bytes \d+ ?`)
	var list []Counter
	chain := ""
	for line := range strings.Lines(ruleset) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "chain "); ok {
			chain = strings.TrimSuffix(name, " {")
		}
		m := counter.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			continue // more than 64 bits: not on this kernel
		}
		list = append(list, Counter{Table: "sluice", Rule: chain + ": " + counter.ReplaceAllString(line, ""), Packets: n})
	}
	return list
}

func xtables(f rig.Flavour) Backend {
	return Backend{Name: "iptables-" + string(f), counters: func(t testing.TB, pod *rig.Namespace) []Counter {
		t.Helper()
		var all []Counter
		for _, family := range rig.Families() {
			r := pod.RunCmd(rig.Cmd{Args: []string{f.Program(family, "save"), "-c"}, Env: append(os.Environ(), rig.LockEnv)})
			if r.Err != nil {
				t.Fatalf("read counters: %v: %s", r.Err, r.Stderr)
			}
			all = append(all, parseCounters(family, r.Stdout)...)
		}
		return all
	}}
}

// parseCounters reads the lines "[packets:bytes] -A CHAIN …" of save text that
// are of or lead to chains of ours.
func parseCounters(family rig.Family, save string) []Counter {
	var list []Counter
	table := ""
	for line := range strings.Lines(save) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "*"); ok {
			table = name
		}
		count, rule, ok := strings.Cut(line, "] ")
		if !ok || !strings.HasPrefix(count, "[") || !strings.Contains(rule, "ISTIO_") {
			continue
		}
		packets, _, _ := strings.Cut(count[1:], ":")
		n, err := strconv.ParseUint(packets, 10, 64)
		if err != nil {
			continue // a chain's own line has its numbers at the end
		}
		list = append(list, Counter{family, table, rule, n})
	}
	return list
}
