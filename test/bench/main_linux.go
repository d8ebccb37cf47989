package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	bin := flag.String("bin", "build/bench", "directory of the built programs")
	docs := flag.String("docs", "docs", "directory that gets performance.md and performance.svg")
	rounds := flag.Int("rounds", 60, "starts of each program")
	scales := flag.Int("scales", 3, "rounds of the measurement by size")
	inbound := flag.Bool("inbound", false, "measure inbound connections only, and print")
	flag.Parse()
	if *inbound {
		*docs = ""
	}
	if err := run(os.Stdout, *bin, *docs, *rounds, *scales); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, bin, docs string, rounds, scales int) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the benchmark makes network namespaces: run it as root")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := paths{bin: bin, dir: dir}
	if err := p.prepare(); err != nil {
		return err
	}
	r := report{machine: machine(), rounds: rounds}
	if r.inbound, err = p.inbound(inboundRounds); err != nil {
		return err
	}
	if docs == "" {
		var b strings.Builder
		r.writeInbound(&b)
		_, err := io.WriteString(w, b.String())
		return err
	}
	if r.results, err = measure(p.variants(), p.program("peak"), rounds); err != nil {
		return err
	}
	if r.plugins, err = p.measurePlugin(p.program("peak"), rounds); err != nil {
		return err
	}
	if r.crowds, err = p.crowds(5); err != nil {
		return err
	}
	if r.points, err = scale(p, []string{"CIDRs", "ports"}, []int{10, 100, 500, 1000, 5000, 10000}, scales); err != nil {
		return err
	}
	fmt.Fprint(w, r.markdown())
	if err := os.MkdirAll(docs, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(docs, "performance.svg"), []byte(r.svg()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "performance.md"), []byte(r.markdown()), 0o644)
}

func (p paths) crowds(rounds int) ([]crowdResult, error) {
	list := []crowdResult{{name: "floor: one encoded netlink batch"}, {name: "sluice, nftables"}, {name: "sluice, iptables-nft"}, {name: "two bare restores, iptables-nft"}}
	argv := [][]string{
		{p.program("floor"), p.file("batch"), p.file("listing")}, p.sluice("nftables"), p.sluice("iptables-nft"),
		{p.program("restores"), "iptables-nft-restore", p.file("v4.rules"), "ip6tables-nft-restore", p.file("v6.rules")},
	}
	for range rounds {
		for i := range list {
			took, err := crowd(argv[i], 100)
			if err != nil {
				return nil, err
			}
			list[i].times = append(list[i].times, took)
		}
	}
	return list, nil
}
