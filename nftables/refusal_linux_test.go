package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// refusedRule is a batch with a table, a chain and a rule whose second
// expression the kernel does not know.
func refusedRule(name string) *batch {
	t := Table{}
	b := encode(Plan{[]step{{verb: makeTable, table: t}, {verb: makeChain, table: t, chain: Chain{Name: "c"}}}})
	odd := step{addRule, t, Chain{Name: "c"}, Rule{}}
	b.plan.steps, b.step = append(b.plan.steps, odd), len(b.plan.steps)
	b.message(odd, unix.NFT_MSG_NEWRULE, nfnl.FlagCreate|nfnl.FlagAppend)
	b.String(unix.NFTA_RULE_TABLE, Name)
	b.String(unix.NFTA_RULE_CHAIN, "c")
	list := b.Open(unix.NFTA_RULE_EXPRESSIONS)
	w := exprWriter{b: &b.Buffer}
	w.meta(unix.NFT_META_NFPROTO)
	w.close(w.open(name))
	w.compare(false, []byte{2})
	b.Close(list)
	b.write(step{addRule, t, Chain{Name: "c"}, Rule{Rule: iptables.Rule{Target: iptables.Return()}}})
	return b
}

func TestARefusedExpressionIsNamedWithTheModuleThatIsMissing(t *testing.T) {
	for expression, want := range map[string]string{"queue": "nft_queue", "nosuch": "nft_nosuch"} {
		n, c := open(t)
		b := refusedRule(expression)
		err := b.explain(c.nl.Batch(t.Context(), subsystem, 0, &b.Buffer))
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("got %v, want an *Error", err)
		}
		if e.Missing != want || e.Op != "add rule" || e.Object != "inet sluice c " {
			t.Errorf("missing %q, op %q, object %q (%v), want %q, add rule, inet sluice c", e.Missing, e.Op, e.Object, e, want)
		}
		if got := n.MustRun("nft", "list", "ruleset"); got != "" {
			t.Errorf("after a refused transaction there is %q, want nothing", got)
		}
	}
}

func TestModulesOfOurExpressionsAreNamedWithTheirOption(t *testing.T) {
	for name, want := range map[string]string{
		"redir": "CONFIG_NFT_REDIR", "tproxy": "CONFIG_NFT_TPROXY", "socket": "CONFIG_NFT_SOCKET", "ct": "CONFIG_NFT_CT", "log": "CONFIG_NFT_LOG",
	} {
		b := refusedRule(name)
		at := strings.Index(string(b.Body(2)), name+"\x00")
		refused := &nfnl.Error{Message: 2, Errno: unix.ENOENT, Offset: at}
		if got := b.explain(refused).Error(); !strings.Contains(got, "the kernel is missing nft_"+name+": "+want) {
			t.Errorf("%s: %q, want it to name %s", name, got, want)
		}
	}
}

func TestAKernelWithoutNatInInetTablesIsRecognised(t *testing.T) {
	v4, v6 := samples(t)
	ts, err := Translate(Inet, v4, v6)
	if err != nil {
		t.Fatal(err)
	}
	b := encode(Changes(nil, ts))
	for i, at := range b.steps {
		if s := b.plan.steps[at]; s.verb == makeChain && s.chain.Hook.Type == "nat" {
			if err := b.explain(&nfnl.Error{Message: i, Errno: unix.ENOENT, Offset: -1}); !noInetNat(err) {
				t.Errorf("%v is not recognised", err)
			}
			return
		}
	}
	t.Error("there is no nat chain")
}

func TestWithoutNetAdminTheErrorSaysWhatItTakes(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its capabilities gone
		done <- func() error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var none [2]unix.CapUserData
			if err := unix.Capset(&header, &none[0]); err != nil {
				return err
			}
			c, err := Open()
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Read(t.Context())
			return err
		}()
	}()
	err := <-done
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("got %v, want a permission error that names CAP_NET_ADMIN", err)
	}
}

// manyCIDRs are n prefixes that do not touch each other.
func manyCIDRs(n int, f iptables.Family) []iptables.Rule {
	var rules []iptables.Rule
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>15), byte(i >> 7), byte(i << 1), 0}), 24)
		if f == iptables.V6 {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 7), byte(i << 1)}), 48)
		}
		rules = append(rules, iptables.Rule{Match: []iptables.Match{iptables.To(p)}, Target: iptables.Return()})
	}
	return rules
}

func TestTenThousandCIDRsAreOneRuleAndReadBackEqual(t *testing.T) {
	v4, v6 := samples(t)
	v4.Append(iptables.Nat, iptables.ChainOutput, manyCIDRs(10000, iptables.V4)...)
	v6.Append(iptables.Nat, iptables.ChainOutput, manyCIDRs(10000, iptables.V6)...)
	_, c := open(t)
	begin := time.Now()
	report := mustApply(t, c, v4, v6, Options{})
	t.Logf("applied and verified in %v", time.Since(begin))
	if report.Rules > 80 {
		t.Errorf("%d rules, want a set instead of a rule for each prefix", report.Rules)
	}
	if r := mustApply(t, c, v4, v6, Options{}); !r.Plan.Empty() {
		t.Errorf("a second apply made %d changes, want none", r.Plan.Len())
	}
	have, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back, _ := have.Rulesets()
	out, _ := back.Chain(iptables.Nat, iptables.ChainOutput)
	if got := len(iptables.PrefixesOf(out.Rules[len(out.Rules)-1].Match[0])); got != 10000 {
		t.Errorf("the set read back holds %d prefixes, want 10000", got)
	}
}

const childVariable = "SLUICE_TEST_USER_NAMESPACE"

// TestInUserNamespace is the part of the next test that runs inside.
func TestInUserNamespace(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return
	}
	v4, v6 := samples(t)
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, c, v4, v6, Options{})
	if r := mustApply(t, c, v4, v6, Options{}); !r.Plan.Empty() {
		t.Errorf("a second apply changed\n%swant nothing", r.Plan)
	}
	fmt.Println("applied as uid", os.Getuid())
}

func TestAPodsUserNamespaceWithMappedIDsIsProgrammedFromInside(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestInUserNamespace$")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}},
		Credential:  &syscall.Credential{},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "applied as uid 0") {
		t.Errorf("in the user namespace: %v\n%s", err, out)
	}
}
