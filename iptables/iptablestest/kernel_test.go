package iptablestest

import (
	"context"
	"errors"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestATableIsCommittedWholeOrNotAtAll(t *testing.T) {
	for _, bad := range []iptables.TableScript{
		{Append: []string{"-A OUTPUT -j RETURN", "-A MISSING -j RETURN"}},
		{Append: []string{"-A OUTPUT -j RETURN", "-A OUTPUT -j MISSING"}},
		{Delete: []string{"-D OUTPUT -p tcp -j RETURN"}},
		{Declare: []string{":A - [0:0]"}, Append: []string{"-A OUTPUT -j A"}, Destroy: []string{"-X A"}},
		{Destroy: []string{"-X OUTPUT"}},
	} {
		k := &Kernel{}
		bad.Table = iptables.Nat
		good := iptables.TableScript{Table: iptables.Mangle, Append: []string{"-A OUTPUT -p udp -j RETURN"}}
		err := k.Restore(context.Background(), iptables.V4, iptables.Script{Tables: []iptables.TableScript{good, bad}})
		have := k.Dump(iptables.V4)
		_, nat := have.Chain(iptables.Nat, iptables.Output)
		out, _ := have.Chain(iptables.Mangle, iptables.Output)
		if err == nil || nat || len(out.Rules) != 1 {
			t.Errorf("%s: error %v, nat there: %v, mangle OUTPUT %v", bad, err, nat, out.Rules)
		}
	}
}

func TestFaultsHitTheirStepAndStepsAreCounted(t *testing.T) {
	broken := errors.New("broken")
	k := &Kernel{Before: FailAt(2, broken)}
	var got []error
	for range 3 {
		_, err := k.Read(context.Background(), iptables.V6)
		got = append(got, err)
	}
	if got[0] != nil || !errors.Is(got[1], broken) || got[2] != nil || k.Count(Read) != 3 {
		t.Errorf("errors %v in %v", got, k.Steps)
	}
}
