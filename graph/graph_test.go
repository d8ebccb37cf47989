package graph_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/graph"
	"github.com/sluicemesh/sluice/iptables"
)

func rules(t *testing.T, f iptables.Family, pairs ...string) iptables.Ruleset {
	t.Helper()
	var inputs []builder.Input
	for _, p := range append([]string{"istio-inbound-ports=*", "istio-service-cidr=*", "istio-local-exclude-ports=15090"}, pairs...) {
		flag, value, _ := strings.Cut(p, "=")
		inputs = append(inputs, builder.Input{Flag: flag, Value: value, Origin: "test"})
	}
	parsed, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return builder.Build(parsed.Config, f)
}

func full(t *testing.T) iptables.Ruleset {
	return rules(t, iptables.V4, "istio-inbound-interception-mode=TPROXY", "redirect-dns=true", "capture-all-dns=true", "drop-invalid=true", "kube-virt-interfaces=k6t+")
}

func options() graph.Options {
	return graph.Options{Title: `A & "B" <C>`, Names: map[iptables.Port]string{15001: "Out", 15006: "In", 15053: "DNS"}}
}

func TestEveryRuleStandsInEveryPicture(t *testing.T) {
	rs := full(t)
	p := graph.Of(rs, options())
	svg, dot, mermaid := p.SVG(), p.DOT(), p.Mermaid()
	for _, c := range rs.Chains {
		for name, text := range map[string]string{"SVG": svg, "DOT": dot, "Mermaid": mermaid} {
			if !strings.Contains(text, c.Name) {
				t.Errorf("%s lacks chain %s", name, c.Name)
			}
		}
		for _, r := range c.Rules {
			if !strings.Contains(svg, "<title>"+r.String()+"</title>") {
				t.Errorf("SVG lacks rule %s", r)
			}
		}
	}
	for _, port := range []string{"15001", "15006", "15053", "dropped"} {
		if !strings.Contains(mermaid, port) || !strings.Contains(dot, port) || !strings.Contains(svg, port) {
			t.Errorf("a picture lacks the outcome %s", port)
		}
	}
}

func TestSVGIsXML(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(graph.Of(full(t), options()).SVG()))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// rectangle is a box's frame in the drawing.
type rectangle struct {
	X      float64 `xml:"x,attr"`
	Y      float64 `xml:"y,attr"`
	Width  float64 `xml:"width,attr"`
	Height float64 `xml:"height,attr"`
}

func frames(t *testing.T, svg string) (list []rectangle) {
	t.Helper()
	var drawing struct {
		Groups []struct {
			Rects []rectangle `xml:"rect"`
		} `xml:"g"`
	}
	if err := xml.Unmarshal([]byte(svg), &drawing); err != nil {
		t.Fatal(err)
	}
	for _, g := range drawing.Groups {
		list = append(list, g.Rects[0])
	}
	return list
}

func TestBoxesDoNotOverlap(t *testing.T) {
	for name, rs := range map[string]iptables.Ruleset{"default": rules(t, iptables.V4), "everything": full(t), "tangled": tangled(t)} {
		list := frames(t, graph.Of(rs, options()).SVG())
		if len(list) < 4 {
			t.Fatalf("%s: only %d boxes", name, len(list))
		}
		for i, a := range list {
			for _, b := range list[i+1:] {
				if a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+b.Height && b.Y < a.Y+a.Height {
					t.Errorf("%s: boxes overlap: %+v %+v", name, a, b)
				}
			}
		}
	}
}

// tangled jumps back, across columns, and in a circle.
func tangled(t *testing.T) iptables.Ruleset {
	t.Helper()
	rs, err := iptables.Parse(iptables.V4, `*nat
-A OUTPUT -j A
-A OUTPUT -j C
-A A -j B
-A A -j C
-A B -j C
-A B -j MISSING
-A C -j A
-A C -m time --timestart 10:00 -j DNAT --to-destination 10.0.0.1
-A C -p tcp -j REDIRECT --to-ports 9999
`)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestSameRulesSameBytes(t *testing.T) {
	for range 20 {
		a, b := graph.Of(full(t), options()), graph.Of(full(t), options())
		if a.SVG() != b.SVG() || a.DOT() != b.DOT() || a.Mermaid() != b.Mermaid() {
			t.Fatal("two pictures of the same rules differ")
		}
	}
}

func TestHighlightedPathStandsOut(t *testing.T) {
	o := options()
	o.Path = []graph.Place{{Table: iptables.Nat, Chain: "OUTPUT", Number: 1}}
	o.End = graph.EndPort(15001)
	plain, hot := graph.Of(rules(t, iptables.V4), options()), graph.Of(rules(t, iptables.V4), o)
	const line = `marker-end="url(#arrow-hot)"`
	if n := strings.Count(hot.SVG(), line); n != 1 {
		t.Errorf("got %d highlighted lines, want 1", n)
	}
	if strings.Contains(plain.SVG(), line) || strings.Contains(plain.SVG(), `class="faint"`) {
		t.Error("a picture without a path highlights something")
	}
	if !strings.Contains(hot.Mermaid(), "linkStyle") || !strings.Contains(hot.DOT(), "penwidth") {
		t.Error("the path does not stand out in Mermaid and DOT")
	}
}

func TestManyRulesStayAPicture(t *testing.T) {
	var b strings.Builder
	b.WriteString("*nat\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "-A OUTPUT -d 10.%d.%d.1/32 -p tcp -j S%d\n-A S%d -p tcp -j REDIRECT --to-ports %d\n", i/250, i%250, i, i, 20000+i)
	}
	rs, err := iptables.Parse(iptables.V4, b.String())
	if err != nil {
		t.Fatal(err)
	}
	svg := graph.Of(rs, options()).SVG()
	if len(svg) > 200_000 || !strings.Contains(svg, "rules not shown: ") {
		t.Errorf("got %d bytes of SVG, want a picture that says what it leaves out", len(svg))
	}
	o := options()
	o.Path = []graph.Place{{Table: iptables.Nat, Chain: "OUTPUT", Number: 4000}}
	if !strings.Contains(graph.Of(rs, o).SVG(), "S3999") {
		t.Error("a highlighted rule is left out")
	}
}

// The pictures are read by the programs that they are for.
func TestOtherProgramsReadThePictures(t *testing.T) {
	for _, c := range []struct{ tool, file, text string }{
		{"dot", "rules.dot", graph.Of(full(t), options()).DOT()},
		{"rsvg-convert", "rules.svg", graph.Of(full(t), options()).SVG()},
	} {
		if _, err := exec.LookPath(c.tool); err != nil {
			t.Fatalf("%s is missing: install graphviz and librsvg2-bin", c.tool)
		}
		file := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := map[string][]string{"dot": {"-Tsvg", "-o", file + ".out", file}, "rsvg-convert": {"-o", file + ".png", file}}[c.tool]
		if out, err := exec.Command(c.tool, args...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", c.tool, err, out)
		}
	}
}
