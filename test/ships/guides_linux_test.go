package ships

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the real output into the guides")

// A guide's ```sh blocks are run, one after the other in one shell, and a
// ```text block that follows one is what it printed. Blocks for machines that
// a test does not have (kubectl, podman) are ```console.
func TestGuidesSayWhatHappens(t *testing.T) {
	bin := programs(t)
	ran := 0
	for _, path := range guides(t) {
		text := string(read(t, filepath.Dir(path), filepath.Base(path)))
		g := parseGuide(text)
		if len(g.blocks) == 0 {
			continue
		}
		ran++
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			outputs := g.run(t, bin)
			got := g.with(outputs)
			if *update && got != text {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			g.compare(t, outputs)
		})
	}
	if ran < 4 {
		t.Errorf("%d guides have commands, want more: are they found?", ran)
	}
}

func guides(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil || len(list) == 0 {
		t.Fatalf("guides: %v, %v", list, err)
	}
	return slices.DeleteFunc(list, func(path string) bool { return filepath.Base(path) == "demo.md" }) // test/demo holds it
}

// programs builds what the guides run.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command(t, top, "go", "build", "-ldflags=-X main.version=v0.0.0-test", "-o", dir, "./cmd/sluice", "./cmd/sluice-cni", "./cmd/sluice-node")
	if err := os.Symlink("sluice", filepath.Join(dir, "istio-iptables")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// guide is a page cut at its blocks.
type guide struct {
	lines  []string
	blocks []block
}

// block is a command and where the output that is shown stands, by line; an
// output that is not shown has none.
type block struct {
	line      int
	script    string
	from, to  int
	hasOutput bool
}

func parseGuide(text string) guide {
	g := guide{lines: strings.SplitAfter(text, "\n")}
	for i := 0; i < len(g.lines); i++ {
		kind, end := g.fence(i)
		switch {
		case kind == "":
			continue
		case kind == "sh":
			g.blocks = append(g.blocks, block{line: i + 1, script: strings.Join(g.lines[i+1:end], "")})
		case kind == "text" && len(g.blocks) > 0 && g.follows(i):
			b := &g.blocks[len(g.blocks)-1]
			b.from, b.to, b.hasOutput = i+1, end, true
		}
		i = end
	}
	return g
}

// fence is the kind of a block that begins on a line, and its last line.
func (g guide) fence(i int) (kind string, end int) {
	kind, ok := strings.CutPrefix(strings.TrimSpace(g.lines[i]), "```")
	if !ok {
		return "", i
	}
	end = i + 1
	for end < len(g.lines) && strings.TrimSpace(g.lines[end]) != "```" {
		end++
	}
	if kind == "" {
		kind = "plain"
	}
	return kind, end
}

// follows: nothing but the end of the last command and blank lines in between.
func (g guide) follows(i int) bool {
	i--
	for strings.TrimSpace(g.lines[i]) == "" {
		i--
	}
	last := g.blocks[len(g.blocks)-1]
	return strings.TrimSpace(g.lines[i]) == "```" && i == last.line+strings.Count(last.script, "\n")
}

// run runs the blocks in one shell, in a network namespace and a mount
// namespace of their own: names of ip netns and files of /run/netns never meet
// the machine's.
func (g guide) run(t *testing.T, bin string) []string {
	t.Helper()
	out := t.TempDir()
	var script strings.Builder
	script.WriteString("set -eu\nmount --make-rprivate /\nmkdir -p /run/netns\nmount -t tmpfs none /run/netns\nip link set lo up\n")
	for i, b := range g.blocks {
		fmt.Fprintf(&script, "{\n%s} >%s/%d 2>&1 </dev/null\n", b.script, out, i)
	}
	cmd := exec.Command("timeout", "120", "unshare", "--net", "--mount", "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + cmd.Dir, "REPO=" + absolute(t, top)}
	text, err := cmd.CombinedOutput()
	var outputs []string
	for i := range g.blocks {
		body, readErr := os.ReadFile(fmt.Sprintf("%s/%d", out, i))
		outputs = append(outputs, string(body))
		if os.IsNotExist(readErr) || err != nil && i == len(g.blocks)-1 {
			last := max(0, i-1)
			if readErr == nil {
				last = i
			}
			t.Fatalf("the block in line %d failed: %v\n%s%s", g.blocks[last].line, err, outputs[last], text)
		}
	}
	return outputs
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func (g guide) compare(t *testing.T, outputs []string) {
	t.Helper()
	for i, b := range g.blocks {
		if !b.hasOutput {
			continue
		}
		if shown := strings.Join(g.lines[b.from:b.to], ""); steady(shown) != steady(outputs[i]) {
			t.Errorf("line %d shows\n%s\nbut the commands print\n%s\n(go test ./test/ships -run Guides -update)", b.from, shown, outputs[i])
		}
	}
}

// with is the page with real outputs where what is shown differs.
func (g guide) with(outputs []string) string {
	var b strings.Builder
	at := 0
	for i, x := range g.blocks {
		if !x.hasOutput || steady(strings.Join(g.lines[x.from:x.to], "")) == steady(outputs[i]) {
			continue
		}
		b.WriteString(strings.Join(g.lines[at:x.from], ""))
		b.WriteString(outputs[i])
		at = x.to
	}
	b.WriteString(strings.Join(g.lines[at:], ""))
	return b.String()
}

// steady replaces what differs from run to run: times, durations, the
// kernel's release and numbers of namespaces.
func steady(s string) string {
	for pattern, with := range map[string]string{
		`\d{4}-\d\d-\d\dT[0-9:.]+Z`: "TIME",
		`\b\d+(\.\d+)?(µs|ms|s)\b`:  "DURATION",
		`Linux \d[^\s]*`:            "Linux RELEASE",
		`net:\[\d+\]|inode \d+`:     "NAMESPACE",
		`go1\.[0-9.]+`:              "GO",
		`linux/(amd64|arm64)`:       "PLATFORM",
		`/(usr/)?sbin/`:             "/sbin/",
		`[ \t]+\n`:                  "\n",
	} {
		s = regexp.MustCompile(pattern).ReplaceAllString(s, with)
	}
	return s
}
