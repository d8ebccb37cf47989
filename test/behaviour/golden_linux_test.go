package behaviour

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

// cases reads one file of every golden case, split at the "# IPv…" headers.
func cases(t *testing.T, file string) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../testdata/cases/*/" + file)
	if err != nil || len(names) < 20 {
		t.Fatalf("%d golden files %s: %v", len(names), file, err)
	}
	texts := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(filepath.Dir(name))] = string(data)
	}
	return texts
}

// family is the block of a family; a family that is not there is "".
func family(text string, f iptables.Family) string {
	_, block, _ := strings.Cut(text, "# "+f.String()+"\n")
	block, _, _ = strings.Cut(block, "# IPv")
	return block
}

// ours are the lines of a save dump that are ours, chain by chain, as text and
// unparsed: declarations of our chains, rules in them and jumps to them.
func ours(dump string) []string {
	var list []string
	table := ""
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "*") {
			table = line
		}
		if strings.Contains(line, "ISTIO_") {
			list = append(list, table+" "+line)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return strings.Compare(chainOf(a), chainOf(b)) })
	return list
}

func chainOf(line string) string { return strings.Join(strings.Fields(line)[:3], " ") }

func TestGoldenRulesLoadAndAreSavedAsTheSameText(t *testing.T) {
	for name, text := range cases(t, "rules") {
		for _, flavour := range rig.Flavours() {
			t.Run(fmt.Sprintf("%s/%s", name, flavour), func(t *testing.T) {
				t.Parallel()
				pod := rig.NewNamespace(t, "golden")
				for _, f := range iptables.Families() {
					block := family(text, f)
					if block == "" {
						continue
					}
					pod.Restore(flavour, rig.Family(f), block)
					if got, want := ours(pod.Save(flavour, rig.Family(f))), ours(block); !slices.Equal(got, want) {
						t.Errorf("%s: saved\n%s\nloaded\n%s", f, strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				}
			})
		}
	}
}

func TestGoldenCommandsMakeTheSameRules(t *testing.T) {
	rules := cases(t, "rules")
	for name, script := range cases(t, "commands") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := rig.NewNamespace(t, "golden")
			pod.MustRun("sh", "-euc", script)
			for _, f := range iptables.Families() {
				if got, want := ours(pod.Save(rig.NFT, rig.Family(f))), ours(family(rules[name], f)); !slices.Equal(got, want) {
					t.Errorf("%s: the commands made\n%s\nwant\n%s", f, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

func TestGoldenNftTextLoads(t *testing.T) {
	for name, text := range cases(t, "nft") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := rig.NewNamespace(t, "golden")
			if r := pod.RunCmd(rig.Cmd{Args: []string{"nft", "-f", "-"}, Stdin: text}); r.Err != nil {
				t.Fatalf("nft -f: %v\n%s", r.Err, r.Stderr)
			}
			if got := pod.MustRun("nft", "list", "tables"); !strings.Contains(got, "table inet sluice") {
				t.Errorf("tables %q, want table inet sluice", got)
			}
		})
	}
}
