package rig

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStateIsTheSameTwiceAndLookingCreatesNoLegacyTable(t *testing.T) {
	r := New(t)
	first, second := r.Pod.State(), r.Pod.State()
	if d := first.Diff(second); d != "" {
		t.Errorf("looking changed the state:\n%s", d)
	}
	for section := range second {
		if strings.HasPrefix(section, "legacy") {
			t.Errorf("section %q in a fresh namespace, want none", section)
		}
	}
}

func TestStateShowsEveryKindOfChange(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Namespace)
		want   string
	}{
		"nft rule":       {func(n *Namespace) { n.Iptables(NFT, IPv4, "-A", "OUTPUT", "-j", "ACCEPT") }, "+ \t\tcounter accept"},
		"legacy rule":    {func(n *Namespace) { n.Iptables(Legacy, IPv6, "-A", "OUTPUT", "-j", "ACCEPT") }, "+ -A OUTPUT -j ACCEPT"},
		"legacy touched": {func(n *Namespace) { n.Save(Legacy, IPv4); n.Iptables(Legacy, IPv4, "-t", "raw", "-L") }, "legacy4 raw:"},
		"address":        {func(n *Namespace) { n.IP("addr", "add", "::6/128", "dev", "lo", "nodad") }, "inet6 ::6/128"},
		"rule":           {func(n *Namespace) { n.IP("rule", "add", "fwmark", "1337", "lookup", "133") }, "fwmark 0x539"},
		"route": {func(n *Namespace) { n.IP("-6", "route", "add", "local", "default", "dev", "lo", "table", "133") },
			"+ local default dev lo table 133"},
		"link":   {func(n *Namespace) { n.IP("link", "add", "br0", "type", "bridge") }, "br0"},
		"sysctl": {func(n *Namespace) { n.Sysctl("net/ipv4/conf/all/route_localnet", "1") }, "+ net/ipv4/conf/all/route_localnet = 1"},
		"ipset":  {func(n *Namespace) { n.MustRun("ipset", "create", "some", "hash:net") }, "+ create some hash:net"},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(t)
			before := r.Pod.State()
			tc.change(r.Pod)
			if got := before.Diff(r.Pod.State()); !strings.Contains(got, tc.want) {
				t.Errorf("difference lacks %q:\n%s", tc.want, got)
			}
		})
	}
}

func TestDiffTellsOrderApart(t *testing.T) {
	before, after := State{"nft": "a\nb\n"}, State{"nft": "b\na\n"}
	want := "nft:\n  - order: a | b\n  + order: b | a\n"
	if got := before.Diff(after); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestToolsShowOnlyTheChosenFlavourAndCountItsCalls(t *testing.T) {
	for _, f := range Flavours() {
		t.Run(string(f), func(t *testing.T) {
			r := New(t)
			tools := NewTools(t, []Flavour{f})
			run := func(args ...string) Result {
				return r.Pod.RunCmd(Cmd{Args: append([]string{"/usr/bin/env"}, args...), Env: tools.Env(LockEnv)})
			}
			version := map[Flavour]string{NFT: "(nf_tables)", Legacy: "(legacy)"}[f]
			if got := run("iptables", "--version"); !strings.Contains(got.Stdout, version) {
				t.Errorf("version: got %q (%v), want %q in it", got.Stdout, got.Err, version)
			}
			if got := run("ip6tables-restore", "/dev/null"); got.Err != nil {
				t.Errorf("restore: %v: %s", got.Err, got.Stderr)
			}
			other := map[Flavour]Flavour{NFT: Legacy, Legacy: NFT}[f]
			for _, absent := range []string{other.Program(IPv4, ""), "nft", "ip", "sh"} {
				if got := run(absent, "--version"); got.Code != 127 {
					t.Errorf("%s: got exit code %d, want 127, not found", absent, got.Code)
				}
			}
			want := []string{"iptables --version", "ip6tables-restore /dev/null"}
			if got := tools.Calls(); !slices.Equal(got, want) {
				t.Errorf("calls: got %q, want %q", got, want)
			}
			if got := tools.Calls(); len(got) != 0 {
				t.Errorf("calls after reading them: got %q, want none", got)
			}
		})
	}
}

func TestLyingToolsCanReplaceRealOnes(t *testing.T) {
	r := New(t)
	tools := NewTools(t, Flavours(), "nft")
	tools.AddScript("iptables-restore", "echo broken >&2; exit 3")
	tools.Remove("nft")
	env := tools.Env()
	got := r.Pod.RunCmd(Cmd{As: App, Args: []string{"/usr/bin/env", "iptables-restore", "-w"}, Env: env})
	if got.Code != 3 || got.Stderr != "broken\n" {
		t.Errorf("got %+v, want code 3 and broken", got)
	}
	if got := r.Pod.RunCmd(Cmd{Args: []string{"/usr/bin/env", "nft"}, Env: env}); got.Code != 127 {
		t.Errorf("nft: got code %d, want 127", got.Code)
	}
	if got, want := fmt.Sprint(tools.Calls()), "[iptables-restore -w]"; got != want {
		t.Errorf("calls: got %s, want %s", got, want)
	}
}
