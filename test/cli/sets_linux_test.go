package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

// scattered is n CIDRs that no larger one holds.
func scattered(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("198.18.%d.0/25", i))
	}
	return strings.Join(list, ",")
}

// everyOther is n ports with a gap between any two.
func everyOther(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(20001+2*i))
	}
	return strings.Join(list, ",")
}

// debugging shows each change.
const debugging = "--log_output_level=default:debug"

// long is a command line whose lists are sets in the kernel: of addresses, and of ports.
func long(more ...string) []string {
	return classic(append([]string{"-x", scattered(100), "-o", everyOther(600)}, more...)...)
}

func setsOf(n *rig.Namespace) []string {
	return strings.Fields(n.MustRun("ipset", "list", "-name"))
}

func TestCleanRemovesSetsThatOutlivedTheirRules(t *testing.T) {
	s := build(t)
	for _, backend := range []string{"iptables-nft", "iptables-legacy"} {
		pod := rig.NewNamespace(t, "pod")
		before := pod.State()["ipsets"]
		s.in(pod, 0, long("--backend", backend)...)
		if sets := setsOf(pod); len(sets) != 2 {
			t.Fatalf("%s: sets %q, want one of addresses and one of ports", backend, sets)
		}
		pod.MustRun("nft", "flush", "ruleset")
		for _, family := range []string{"iptables", "ip6tables"} {
			for _, table := range []string{"nat", "mangle", "raw"} {
				pod.MustRun("sh", "-euc", fmt.Sprintf("%[1]s-legacy -t %[2]s -F; %[1]s-legacy -t %[2]s -X", family, table))
			}
		}
		says(t, s.in(pod, 0, "clean", debugging), "removed sets that no rule asks: 2")
		if after := pod.State()["ipsets"]; after != before {
			t.Errorf("%s: clean leaves\n%s", backend, after)
		}
		says(t, s.in(pod, 0, "clean"), "nothing")
	}
}

func TestCleanLeavesSetsOfOthers(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	pod.MustRun("ipset", "create", "theirs", "hash:net")
	s.in(pod, 0, long("--backend", "iptables-nft")...)
	s.in(pod, 0, "clean")
	if sets := setsOf(pod); !slices.Equal(sets, []string{"theirs"}) {
		t.Errorf("sets after clean: %q, want theirs alone", sets)
	}
}

func TestApplyRemovesStraySetsWhereTheRulesAreAsWanted(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	run := long("--backend", "iptables-nft")
	s.in(pod, 0, run...)
	once := pod.State()
	says(t, s.in(pod, 0, run...), "nothing to do")
	pod.MustRun("ipset", "create", "sluice-4-0123456789abcdef", "hash:net")
	says(t, s.in(pod, 0, append(run, debugging)...), "removed sets that no rule asks: 1")
	same(t, once, pod.State())
}

// refuse puts a restore program into the way that fails where a word is read.
func refuse(tools *rig.Tools, word string) {
	for _, name := range []string{"iptables-nft-restore", "ip6tables-nft-restore"} {
		tools.Remove(name)
		tools.AddScript(name, fmt.Sprintf(`text=$(/bin/cat)
case $text in *%s*) echo "no %s here" >&2; exit 2;; esac
/usr/bin/printf '%%s\n' "$text" | %s "$@"`, word, word, "/usr/sbin/"+name))
	}
}

func TestWithoutTheSetMatchPlainRulesStandAndNoSetStays(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	s.tools = rig.NewTools(t, []rig.Flavour{rig.NFT})
	refuse(s.tools, "match-set")
	run := long("--backend", "iptables-nft")
	r := s.in(pod, 0, append(run, debugging)...)
	if !strings.Contains(r.Stderr, "changes in nat") || strings.Contains(r.Stderr, ": 2 sets") {
		t.Errorf("sets are reported that no rule asks:\n%s%s", r.Stdout, r.Stderr)
	}
	if sets := setsOf(pod); len(sets) > 0 {
		t.Errorf("sets that no rule asks: %q", sets)
	}
	if rules := strings.Count(pod.Save(rig.NFT, rig.IPv4), "-d 198.18."); rules != 100 {
		t.Errorf("%d rules for 100 CIDRs", rules)
	}
	s.in(pod, 0, append([]string{"check"}, run[1:]...)...)
}

func TestAFailedApplyLeavesNoSets(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	s.tools = rig.NewTools(t, []rig.Flavour{rig.NFT})
	refuse(s.tools, "ISTIO_")
	s.in(pod, 1, long("--backend", "iptables-nft")...)
	if sets := setsOf(pod); len(sets) > 0 {
		t.Errorf("sets of a run that failed: %q", sets)
	}
}

func TestCheckReadsEachFamilyOnceWhereSetsAreAsWanted(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	run := long("--backend", "iptables-nft")
	s.in(pod, 0, run...)
	s.tools = rig.NewTools(t, []rig.Flavour{rig.NFT})
	s.in(pod, 0, append([]string{"check"}, run[1:]...)...)
	reads := slices.DeleteFunc(s.tools.Calls(), func(c string) bool { return !strings.Contains(c, "-save") || strings.Contains(c, "--version") })
	if len(reads) != 2 {
		t.Errorf("got %d reads, want one of each family: %q", len(reads), reads)
	}
}

func TestADryRunSaysWhereApplyWouldAskSets(t *testing.T) {
	s, pod := build(t), rig.NewNamespace(t, "pod")
	const said = "apply asks a set instead"
	for _, setting := range [][]string{
		{"-x", scattered(100)}, {"-o", everyOther(600)},
		{"--exclude-outbound-ports-for-uids", "tcp:" + everyOther(600) + ":1000"},
	} {
		says(t, s.in(pod, 0, classic(append(setting, "--dry-run")...)...), said)
	}
	r := s.in(pod, 0, classic("-x", scattered(60), "-o", everyOther(60), "--dry-run")...)
	if strings.Contains(r.Stderr, said) {
		t.Errorf("said of short lists: %s", r.Stderr)
	}
}
