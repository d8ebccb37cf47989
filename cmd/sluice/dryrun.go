package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
)

// formats lists the formats of a dry run.
func formats() []string {
	return append([]string{"iptables", "commands", "nft", "json", "yaml"}, pictures()...)
}

// dryWant is what apply would load into an empty namespace.
func dryWant(c builder.Config) interception.Want {
	return interception.WantOf(c, dryFamilies(c)...)
}

// dryRun prints what apply would load into an empty namespace.
func dryRun(w io.Writer, parsed builder.Parsed, format, dir string) error {
	want := dryWant(parsed.Config)
	for _, rs := range want.Rules {
		if err := rs.Validate(); err != nil {
			return err
		}
	}
	if dir != "" {
		return writeRules(dir, want)
	}
	switch format {
	case "commands":
		return printCommands(w, want)
	case "nft":
		return printNft(w, want)
	case "json":
		return printJSON(w, planOf(parsed, want))
	case "yaml":
		return yaml.NewEncoder(w).Encode(planOf(parsed, want))
	case "svg", "dot", "mermaid":
		return drawSubject(w, built("", parsed), 0, nil, format)
	}
	return printRules(w, want, dryFamilies(parsed.Config))
}

// dryFamilies are both families unless the user chose: a dry run looks at no namespace.
func dryFamilies(c builder.Config) []iptables.Family {
	var list []iptables.Family
	for _, f := range iptables.Families() {
		if c.Families.Wants(f) {
			list = append(list, f)
		}
	}
	return list
}

// printRules prints the restore text of each family under a header line.
func printRules(w io.Writer, want interception.Want, families []iptables.Family) error {
	for _, rs := range want.Rules {
		if !slices.Contains(families, rs.Family) {
			continue
		}
		if _, err := fmt.Fprintf(w, "# %s\n%s", rs.Family, iptables.Render(rs)); err != nil {
			return err
		}
	}
	return nil
}

// writeRules writes v4.rules and v6.rules, each loadable as it is.
func writeRules(dir string, want interception.Want) error {
	for _, rs := range want.Rules {
		name := filepath.Join(dir, map[iptables.Family]string{iptables.V4: "v4.rules", iptables.V6: "v6.rules"}[rs.Family])
		if err := os.WriteFile(name, []byte(iptables.Render(rs)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// printCommands prints one command for each change, for a shell to run in an
// empty namespace.
func printCommands(w io.Writer, want interception.Want) error {
	var b bytes.Buffer
	for _, line := range want.Plumbing.Commands() {
		b.WriteString(line + "\n")
	}
	for _, a := range want.Plumbing.Addrs {
		fmt.Fprintf(&b, "# added by hand it is not taken for ours by sluice clean; to remove it: %s\n", a.Command("del"))
	}
	for _, rs := range want.Rules {
		tool := map[iptables.Family]string{iptables.V4: "iptables", iptables.V6: "ip6tables"}[rs.Family]
		for _, t := range iptables.Reconcile(iptables.Ruleset{Family: rs.Family}, rs).Tables {
			for _, d := range t.Declare {
				name, _, _ := strings.Cut(d[1:], " ")
				fmt.Fprintf(&b, "%s -t %s -N %s\n", tool, t.Table, name)
			}
			for _, a := range t.Append {
				fmt.Fprintf(&b, "%s -t %s %s\n", tool, t.Table, shell(a))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// printNft prints text for nft -f.
func printNft(w io.Writer, want interception.Want) error {
	rules := map[iptables.Family]iptables.Ruleset{}
	for _, rs := range want.Rules {
		rules[rs.Family] = rs
	}
	tables, err := nftables.Translate(nftables.Inet, rules[iptables.V4], rules[iptables.V6])
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, tables.String())
	return err
}

// shell quotes a line of restore text for a shell.
func shell(line string) string {
	words, err := iptables.SplitWords(line)
	if err != nil { // our own text always splits
		return line
	}
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\"'\\$`*?[]#~&;|<>(){}") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// plan is a dry run as data. Its form is documented and stable.
type plan struct {
	Settings []planSetting `json:"settings" yaml:"settings"`
	Families []planFamily  `json:"families" yaml:"families"`
	// Plumbing is what the marks of TPROXY mode and the proxy's own source
	// address need, as commands of iproute2.
	Plumbing []string `json:"plumbing" yaml:"plumbing"`
}

type planSetting struct {
	Name   string `json:"name" yaml:"name"`
	Value  string `json:"value" yaml:"value"`
	Origin string `json:"origin" yaml:"origin"`
}

type planFamily struct {
	Family string      `json:"family" yaml:"family"` // "IPv4" or "IPv6"
	Chains []planChain `json:"chains" yaml:"chains"`
}

type planChain struct {
	Table string     `json:"table" yaml:"table"`
	Name  string     `json:"name" yaml:"name"`
	Rules []planRule `json:"rules" yaml:"rules"`
}

type planRule struct {
	Rule    string `json:"rule" yaml:"rule"`       // canonical text
	Setting string `json:"setting" yaml:"setting"` // that asked for it
}

func planOf(parsed builder.Parsed, want interception.Want) plan {
	p := plan{Settings: []planSetting{}, Families: []planFamily{}, Plumbing: append([]string{}, want.Plumbing.Commands()...)}
	for _, e := range parsed.Settings() {
		p.Settings = append(p.Settings, planSetting{e.Flag, e.Value, e.Origin})
	}
	for _, rs := range want.Rules {
		f := planFamily{Family: rs.Family.String(), Chains: []planChain{}}
		for _, c := range rs.Chains {
			chain := planChain{Table: string(c.Table), Name: c.Name}
			for _, r := range c.Rules {
				chain.Rules = append(chain.Rules, planRule{r.String(), r.Why})
			}
			f.Chains = append(f.Chains, chain)
		}
		p.Families = append(p.Families, f)
	}
	return p
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
