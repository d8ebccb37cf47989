package main

import "strings"

// target is a package, or some of its files, and the tests that must notice.
type target struct {
	dir   string
	files []string // none: all but those of one operating system
	tests []suite
}

// slug is the target's name as part of a file's name.
func (t target) slug() string { return strings.ReplaceAll(t.dir, "/", "-") }

// suite is the tests of one package.
type suite struct {
	dir  string
	args []string
}

// targets are what decides: policy, what to write, what a pod gets, what is
// written into a host's files.
func targets() []target {
	rounds := suite{"builder", []string{"-rounds=100", "-seed=1"}}
	return []target{
		{dir: "builder", tests: []suite{rounds, {"cmd/sluice", []string{"-test.run=Golden|Reference|Parse|Setting"}}, {"cni/podsettings", nil}, {"explain", nil}}},
		{
			dir: "iptables", tests: []suite{{"iptables", nil}, {"builder", []string{"-rounds=100", "-seed=1"}}, {"iptables/xtables", []string{"-seed=1"}}},
			files: []string{"reconcile.go", "compare.go", "pack.go", "trace.go", "walk.go", "packet.go", "ruleset.go", "rule.go", "script.go", "table.go", "aggregate.go", "join.go", "same.go", "parse.go", "parsehead.go", "parserule.go"},
		},
		{
			dir: "iptables/xtables", tests: []suite{{"iptables/xtables", []string{"-seed=1"}}},
			files: []string{"apply.go", "undo.go", "classify.go", "detect.go", "version.go", "env.go", "error.go", "flavour.go", "kernel.go", "kind.go", "via.go"},
		},
		{
			dir: "nftables", tests: []suite{{"nftables", []string{"-test.run=Tables|Sets|Owner|Refusals", "-rounds=30", "-seed=1"}}},
			files: []string{"divide.go", "error.go", "name.go", "normal.go", "plan.go", "rulesets.go", "set.go", "table.go", "text.go", "textmatch.go", "translate.go", "weave.go"},
		},
		{
			dir: "interception", tests: []suite{{"interception", nil}},
			files: []string{"choose_linux.go", "error.go", "families.go", "pack.go", "session_linux.go", "want.go"},
		},
		{
			dir: "netns", tests: []suite{{"netns", []string{"-test.run=Pure|Drift|Reconcile|NoRuleStands|Targets|ParseTarget|Statuses|OursStays|FactsSay"}}},
			files: []string{"reconcile.go", "plumbing.go", "facts.go", "target.go"},
		},
		{dir: "internal/align", tests: []suite{{"internal/align", nil}}},
		{dir: "cni/decide", tests: []suite{{"cni/decide", nil}}},
		{dir: "cni/podsettings", tests: []suite{{"cni/podsettings", nil}, {"cni/decide", nil}}},
		{dir: "cni/netconf", tests: []suite{{"cni/netconf", nil}}},
		{dir: "cni/node/conflist", tests: []suite{{"cni/node/conflist", nil}}},
		{
			dir: "cni/node/install", tests: []suite{{"cni/node/install", []string{"-test.skip=Loop|Killed|Keeps|AnyHistory|Thousand"}}},
			files: []string{"plan.go", "dropin.go", "owned.go", "removal.go", "left.go", "hint.go", "discover.go"},
		},
	}
}
