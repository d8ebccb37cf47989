package main

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/nftables"
)

// paths are where programs and files are.
type paths struct{ bin, dir string }

func (p paths) program(name string) string { return filepath.Join(p.bin, name) }
func (p paths) file(name string) string    { return filepath.Join(p.dir, name) }

// classic are the settings that the mesh's injector gives to every pod.
func classic() []string {
	return []string{"-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"}
}

func (p paths) sluice(backend string, more ...string) []string {
	return append(append([]string{p.program("sluice"), "istio-iptables", "--backend", backend}, classic()...), more...)
}

// prepare writes the files that the other programs load: what sluice itself
// loads for the same settings.
func (p paths) prepare() error {
	rules, err := build("", "")
	if err != nil {
		return err
	}
	tables, err := nftables.Translate(nftables.Inet, rules[iptables.V4], rules[iptables.V6])
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"v4.rules": []byte(iptables.Render(rules[iptables.V4])), "v6.rules": []byte(iptables.Render(rules[iptables.V6])),
		"rules.nft": []byte(tables.String()), "batch": nftables.Changes(nil, tables).Messages(),
	}
	for name, data := range files {
		if err := os.WriteFile(p.file(name), data, 0o644); err != nil {
			return err
		}
	}
	return inFresh(func() error {
		return quietly([]string{p.program("floor"), p.file("batch"), p.file("listing"), "record"})
	})
}

// build is the classic rules with more outbound ranges and ports excluded.
func build(ranges, ports string) (map[iptables.Family]iptables.Ruleset, error) {
	parsed, err := builder.Parse([]builder.Input{
		{Flag: "istio-service-cidr", Value: "*"}, {Flag: "istio-inbound-ports", Value: "*"},
		{Flag: "istio-local-exclude-ports", Value: "15090,15021,15020"},
		{Flag: "istio-service-exclude-cidr", Value: ranges}, {Flag: "istio-local-outbound-ports-exclude", Value: ports},
	}, builder.Options{})
	if err != nil {
		return nil, err
	}
	rules := map[iptables.Family]iptables.Ruleset{}
	for _, f := range iptables.Families() {
		rules[f] = builder.Build(parsed.Config, f)
	}
	return rules, nil
}

// rules writes the IPv4 restore text with a rule for each range and port.
func (p paths) rules(ranges, ports string) (string, error) {
	rules, err := build(ranges, ports)
	if err != nil {
		return "", err
	}
	name := p.file("scale.rules")
	return name, os.WriteFile(name, []byte(iptables.Render(rules[iptables.V4])), 0o644)
}

// variants are the ways to program a fresh namespace.
func (p paths) variants() []variant {
	list := []variant{
		{name: "empty Go program", argv: []string{p.program("empty")}},
		{name: "floor: one encoded netlink batch, read back and compared", argv: []string{p.program("floor"), p.file("batch"), p.file("listing")}},
		{name: "google/nftables with its defaults", argv: []string{p.program("googlenft")}},
		{name: "one exec of nft -f", argv: []string{p.program("execnft"), p.file("rules.nft")}},
		{name: "two bare restores, iptables-nft", argv: []string{p.program("restores"), "iptables-nft-restore", p.file("v4.rules"), "ip6tables-nft-restore", p.file("v6.rules")}},
		{name: "two bare restores, iptables-legacy", argv: []string{p.program("restores"), "iptables-legacy-restore", p.file("v4.rules"), "ip6tables-legacy-restore", p.file("v6.rules")}},
		{name: "go-iptables, rule by rule, IPv4 only", argv: []string{p.program("goiptables"), p.file("v4.rules")}},
		{name: "sluice version", argv: []string{p.program("sluice"), "version"}},
	}
	for _, b := range []string{"nftables", "iptables-nft", "iptables-legacy"} {
		list = append(list,
			variant{name: "sluice, " + b, argv: p.sluice(b)},
			variant{name: "sluice, " + b + ", second run", argv: p.sluice(b), before: p.sluice(b)})
	}
	return list
}

// loaders are the ways to load many exclusions.
func (p paths) loaders() []loader {
	bare := func(restore string) func(string, string, string) []string {
		return func(_, _, rules string) []string { return []string{p.program("restores"), restore, rules} }
	}
	ours := func(backend string) func(string, string, string) []string {
		return func(ranges, ports, _ string) []string { return p.sluice(backend, "-x", ranges, "-o", ports) }
	}
	return []loader{
		{"a rule each, iptables-nft", bare("iptables-nft-restore")},
		{"a rule each, iptables-legacy", bare("iptables-legacy-restore")},
		{"sluice, iptables-nft", ours("iptables-nft")},
		{"sluice, iptables-legacy", ours("iptables-legacy")},
		{"sluice, nftables", ours("nftables")},
	}
}

// version is the first line of what a program says of itself.
func version(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	return firstLine(string(out))
}
