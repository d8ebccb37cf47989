package behaviour

import (
	"context"
	"net/netip"
	"testing"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/explain"
	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/test/rig"
)

// subjects are the pod's rules as explain gets them: made of the settings, and
// read back from the kernel, where nothing tells what made them.
func subjects(t *testing.T, r *rig.Rig, c builder.Config) []explain.Subject {
	t.Helper()
	made := explain.Subject{Config: &c, Origin: "settings"}
	for _, f := range iptables.Families() {
		made.Rules = append(made.Rules, builder.Build(c, f))
	}
	list := []explain.Subject{made}
	inPod(t, r, func() error {
		live, err := interception.Read(context.Background(), interception.Options{})
		for _, l := range live {
			list = append(list, explain.Subject{Rules: l.Rules, Origin: "the kernel, " + l.Backend})
		}
		return err
	})
	if len(list) < 2 {
		t.Error("no rules were read back")
	}
	return list
}

// question is the probe as a person would ask.
func (p probe) question(f iptables.Family) explain.Question {
	packet, _ := p.packet(f)
	q := explain.Question{
		Who: explain.Somebody, To: netip.AddrPortFrom(packet.Dst, uint16(packet.DstPort)), Protocol: packet.Protocol,
		Interface: packet.In + packet.Out, Source: packet.Src, Own: []netip.Addr{itself(f), netPod(f)},
	}
	if p.from.outside {
		q.Who = explain.Outside
	} else {
		q.Owner = *packet.Owner
	}
	return q
}

// explained holds explain to where the connection really landed.
func (p probe) explained(t *testing.T, list []explain.Subject, f iptables.Family) {
	t.Helper()
	for _, s := range list {
		a := explain.Ask(s, p.question(f))[0]
		if len(a.Ways) != 1 {
			t.Errorf("%s: explain gives %d ways, want 1\n%s", s.Origin, len(a.Ways), a.Text(0))
			continue
		}
		verdict := builder.Verdict(a.Ways[0].Role)
		if a.Ways[0].Fate == explain.Direct {
			verdict = builder.Direct
		}
		if got := p.listener(verdict); got != p.want {
			t.Errorf("%s: explain says %s, want %s\n%s", s.Origin, got, p.want, a.Text(0))
		}
	}
}
