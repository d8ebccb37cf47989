package xtables

import "testing"

// What the programs say, as they said it, and what a caller can do about it.
func TestWordsOfTheProgramsAreUnderstood(t *testing.T) {
	const (
		rights  = "add NET_ADMIN"
		old     = "this iptables is too old"
		module  = "the kernel lacks a module"
		foreign = "someone wrote rules"
		busy    = "another process holds the lock"
	)
	for _, c := range []struct {
		exit  int
		words string
		kind  Kind
		hint  string // how it begins
	}{
		{3, "iptables-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)", Capability, rights},
		{3, "can't initialize iptables table `nat': you must be root", Capability, rights},
		{4, "Fatal: can't open lock file /run/xtables.lock: Permission denied", Capability, rights},
		{1, "getsockopt failed strangely: Operation not permitted", Capability, rights},
		{2, "unrecognized option '-w'", Unusable, old},
		{2, "invalid option -- 'w'", Unusable, old},
		{2, `Unknown option "-w"`, Unusable, old},
		{2, `unknown option "--wait"`, Unusable, old},
		{1, "Another app is currently holding the xtables lock.", Busy, busy},
		{2, "Couldn't load match `owner':No such file or directory", Unusable, module},
		{2, "Couldn't load target `TPROXY':No such file or directory", Unusable, module},
		{2, "Couldn't find match `socket'", Unusable, module},
		{2, "Couldn't find target `CT'", Unusable, module},
		{3, "unable to initialize table 'nat'", Unusable, module},
		{3, "can't initialize ip6tables table `raw'", Unusable, module},
		{1, "Warning: Extension owner revision 0 not supported, missing kernel module?", Unusable, module},
		{1, "iptables: No chain/target/match by that name.", Unusable, module},
		{1, "line 4: RULE_APPEND failed (No such file or directory): rule in chain OUTPUT", Unusable, module},
		{1, "line 1: TABLE_ADD failed (Operation not supported): table nat", Unusable, module},
		{1, "line 1: CHAIN_ADD failed (Operation not supported): chain OUTPUT", Unusable, module},
		{1, "line 1: CHAIN_ADD failed (No such file or directory): chain PREROUTING", Unusable, module},
		{1, "iptables: Failed to initialize nft: Protocol not supported", Unusable, module},
		{1, "table `nat' is incompatible, use 'nft' tool.", Unusable, foreign},
		{1, "Parsing nftables rule failed", Unusable, foreign},
		{2, "iptables-nft-restore v1.8.9 (nf_tables): Parser cannot handle more arguments; Error occurred at line: 16", Failed, "iptables takes 255 words in a rule"},
		{1, "line 7: RULE_APPEND failed (Invalid argument): rule in chain ISTIO_OUTPUT", Failed, "the kernel refused a value"},
		{4, "", Busy, busy},
		{1, "", Failed, ""},
		{5, "something else", Failed, ""},
	} {
		kind, hint := classify(c.exit, c.words)
		if kind != c.kind || len(hint) < len(c.hint) || hint[:len(c.hint)] != c.hint || c.hint == "" && hint != "" {
			t.Errorf("exit %d %q: got %s %q, want %s %q…", c.exit, c.words, kind, hint, c.kind, c.hint)
		}
	}
}

func TestWordsBecomeOneLineWithoutAdvice(t *testing.T) {
	const said = "\niptables-restore: line 3 failed  \n# Warning: iptables-legacy tables present, use iptables-legacy to see them\nTry `iptables-restore -h' or 'iptables-restore --help' for more information.\n  second\n"
	if got, want := tidy(said), "iptables-restore: line 3 failed; second"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
