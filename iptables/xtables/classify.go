package xtables

import "strings"

// exitResource is what the tools exit with when the lock is held, and nft's when
// the kernel refuses it (RESOURCE_PROBLEM of xtables.h).
const exitResource = 4

// symptom is a phrase of the tools and what it means. The tools have no codes
// for these, so their words are read here and nowhere else.
type symptom struct {
	phrase string
	kind   Kind
	hint   string
}

func symptoms() []symptom {
	const (
		rights = "add NET_ADMIN to the container's securityContext.capabilities; in a user namespace of its own the network namespace must belong to it too"
		old    = "this iptables is too old: 1.6.2 is the first that waits for its lock (-w) on restore"
		module = "the kernel lacks a module: load it on the host (modprobe), or choose another backend; sluice doctor lists what is missing"
		userns = "the kernel refused a value: in a user namespace the uids and gids of the rules must be mapped"
	)
	return []symptom{
		{"Permission denied", Capability, rights},
		{"you must be root", Capability, rights},
		{"Operation not permitted", Capability, rights},
		{"unrecognized option", Unusable, old},
		{"invalid option", Unusable, old},
		{"Unknown option", Unusable, old},
		{"unknown option", Unusable, old},
		{"xtables lock", Busy, "another process holds the lock: try again"},
		{"Couldn't load match", Unusable, module},
		{"Couldn't load target", Unusable, module},
		{"Couldn't find match", Unusable, module},
		{"Couldn't find target", Unusable, module},
		{"initialize table", Unusable, module},
		{"can't initialize", Unusable, module},
		{"missing kernel module", Unusable, module},
		{"No chain/target/match by that name", Unusable, module},
		{"RULE_APPEND failed (No such file or directory)", Unusable, module},
		{"TABLE_ADD failed (Operation not supported)", Unusable, module},
		{"CHAIN_ADD failed (Operation not supported)", Unusable, module},
		{"CHAIN_ADD failed (No such file or directory)", Unusable, module},
		{"Protocol not supported", Unusable, module},
		{"is incompatible, use 'nft' tool", Unusable, "someone wrote rules into this table that iptables cannot show: nft list ruleset"},
		{"Parsing nftables rule failed", Unusable, "someone wrote rules into this table that iptables cannot show: nft list ruleset"},
		{"Parser cannot handle more arguments", Failed, "iptables takes 255 words in a rule: list groups as ranges, or use --backend nftables, which has no such limit"},
		{"Invalid argument", Failed, userns},
	}
}

// classify says what kind of failure a program met.
func classify(exit int, words string) (Kind, string) {
	for _, s := range symptoms() {
		if strings.Contains(words, s.phrase) {
			return s.kind, s.hint
		}
	}
	if exit == exitResource {
		return Busy, "another process holds the lock: try again"
	}
	return Failed, ""
}

// tidy makes one line of a program's words, without its advice on usage.
func tidy(words string) string {
	var kept []string
	for line := range strings.Lines(words) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "Try `") || strings.HasPrefix(line, "# Warning: iptables-legacy tables present") {
			continue
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "; ")
}
