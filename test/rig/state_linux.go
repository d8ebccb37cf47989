package rig

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// State is everything about a namespace that a tool could have changed, as
// text by section: "nft", "legacy4 nat", "addresses", "sysctls", and so on.
// Counters are not part of it.
type State map[string]string

// State looks at the namespace without changing it: legacy tables are read only
// if the kernel says that they exist, since asking creates them.
func (n *Namespace) State() State {
	n.t.Helper()
	n.settle()
	s := State{
		"nft":       n.MustRun("nft", "-s", "list", "ruleset"),
		"ipsets":    n.MustRun("ipset", "save"),
		"links":     n.sortedIP("-o", "link"),
		"addresses": n.sortedIP("-o", "addr"),
		"routes4":   n.sortedIP("-4", "route", "show", "table", "all"),
		"routes6":   n.sortedIP("-6", "route", "show", "table", "all"),
		"rules4":    n.IP("-4", "rule"),
		"rules6":    n.IP("-6", "rule"),
		"sysctls":   n.sysctls(),
	}
	for _, family := range Families() {
		n.legacyTables(s, family)
	}
	return s
}

// Diff lists what differs, "-" for lines of s and "+" for lines of later;
// empty if nothing does.
func (s State) Diff(later State) string {
	var b strings.Builder
	for _, section := range s.sections(later) {
		before, after := lines(s[section]), lines(later[section])
		if slices.Equal(before, after) {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", section)
		missing(&b, "-", before, after)
		missing(&b, "+", after, before)
	}
	return b.String()
}

func (s State) sections(other State) []string {
	var names []string
	for name := range s {
		names = append(names, name)
	}
	for name := range other {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// missing writes the lines that occur more often in these than in those, or,
// if none does, says that only the order differs.
func missing(b *strings.Builder, sign string, these, those []string) {
	count := map[string]int{}
	for _, l := range those {
		count[l]++
	}
	for _, l := range these {
		if count[l]--; count[l] < 0 {
			fmt.Fprintf(b, "  %s %s\n", sign, l)
		}
	}
	if slices.Equal(slices.Sorted(slices.Values(these)), slices.Sorted(slices.Values(those))) {
		fmt.Fprintf(b, "  %s order: %s\n", sign, strings.Join(these, " | "))
	}
}

// legacyTables reads /proc/thread-self, as /proc/net shows the namespace of the
// process's first thread.
func (n *Namespace) legacyTables(s State, family Family) {
	n.t.Helper()
	file := map[Family]string{IPv4: "ip_tables_names", IPv6: "ip6_tables_names"}[family]
	var names []byte
	n.Do(func() { names, _ = os.ReadFile("/proc/thread-self/net/" + file) }) // no file: no tables
	for _, table := range strings.Fields(string(names)) {
		save := n.must(Cmd{
			Args: []string{Legacy.Program(family, "save"), "-t", table},
			Env:  append(os.Environ(), LockEnv),
		})
		s[fmt.Sprintf("legacy%d %s", family, table)] = withoutCounters(save)
	}
}

// withoutCounters drops comments, which hold the time, and chain counters.
func withoutCounters(save string) string {
	var kept []string
	for _, l := range lines(save) {
		if strings.HasPrefix(l, "#") {
			continue
		}
		if counters := strings.LastIndex(l, " ["); strings.HasPrefix(l, ":") && counters > 0 {
			l = l[:counters]
		}
		kept = append(kept, l)
	}
	return strings.Join(kept, "\n")
}

func (n *Namespace) sortedIP(args ...string) string {
	n.t.Helper()
	l := slices.DeleteFunc(lines(n.IP(args...)), func(line string) bool {
		return strings.HasPrefix(line, "Error: Peer netns") // ip looks for the other end's namespace, which may be going
	})
	slices.Sort(l)
	return strings.Join(l, "\n")
}

// Sysctl writes a setting, by its path below /proc/sys.
func (n *Namespace) Sysctl(path, value string) {
	n.t.Helper()
	n.Do(func() {
		if err := os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0o644); err != nil {
			n.t.Fatalf("sysctl %s=%s: %v", path, value, err)
		}
	})
}

// volatile are readings, not settings.
var volatile = []string{"nf_conntrack_count", "stable_secret"}

func (n *Namespace) sysctls() string {
	var b strings.Builder
	n.Do(func() {
		for _, dir := range []string{"ipv4", "ipv6", "netfilter"} {
			writeSysctls(&b, filepath.Join("/proc/sys/net", dir))
		}
	})
	return b.String()
}

// writeSysctls skips what is write-only, or unreadable while unset.
func writeSysctls(b *strings.Builder, root string) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, walk error) error {
		if walk == nil && !d.IsDir() && !slices.Contains(volatile, d.Name()) {
			value, unreadable := os.ReadFile(path)
			if unreadable == nil {
				fmt.Fprintf(b, "%s = %s\n", strings.TrimPrefix(path, "/proc/sys/"), strings.TrimSpace(string(value)))
			}
		}
		return nil
	})
}
