package validation

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// batch is how many packets are sent before the sockets are read: their buffers
// hold a few hundred.
const batch = 64

// quiet is how long a packet that should be seen is waited for. Packets over lo
// are delivered before sendto returns; this is for a machine that is busy.
const quiet = 50 * time.Millisecond

// sendAll sends a check's packets and compares where they were delivered.
func (r *run) sendAll(ctx context.Context, c Check) []Finding {
	eyes, err := r.raw(c.Family)
	if err != nil {
		return missing(err)
	}
	seen, tags := map[uint32]sighting{}, make([]uint32, len(c.Probes))
	see := func(s sighting) { seen[s.tag] = s }
	for i, p := range c.Probes {
		tags[i] = r.nextTag()
		if err := eyes.send(r.ported(p, tags[i]), tags[i]); err != nil {
			return missing(err)
		}
		if i%batch == batch-1 {
			eyes.drain(see)
		}
	}
	r.await(ctx, eyes, c.Probes, tags, seen)
	var findings []Finding
	for i, p := range c.Probes {
		s, ok := seen[tags[i]]
		if f, ok := r.note(p, r.verdict(r.ported(p, tags[i]), s, ok)); !ok && len(findings) < enough {
			findings = append(findings, f)
		}
	}
	return findings
}

func (r *run) raw(f iptables.Family) (*raw, error) {
	if r.raws[f] == nil {
		opened, err := openRaw(r.facts.of(f))
		if err != nil {
			return nil, err
		}
		r.raws[f] = opened
	}
	return r.raws[f], nil
}

// of are the facts of a family.
func (f Facts) of(family iptables.Family) FamilyFacts {
	for _, x := range f.Families {
		if x.Family == family {
			return x
		}
	}
	return FamilyFacts{Family: family}
}

// shared is how many source ports a round shares between probes.
const shared = 7 * most

// ported gives a packet its source port. One that shares its port with another
// of its round keeps it, but gets a new one in the next round.
func (r *run) ported(p Probe, tag uint32) Probe {
	shift := iptables.Port(r.round*shared + int(r.secrets.start))
	switch {
	case p.Packet.Reply:
		p.Packet.DstPort -= shift
	case p.Packet.SrcPort != 0:
		p.Packet.SrcPort -= shift
	default:
		p.Packet.SrcPort = sourcePort(tag)
	}
	return p
}

// await reads until every packet that must be delivered somewhere has been.
func (r *run) await(ctx context.Context, eyes *raw, probes []Probe, tags []uint32, seen map[uint32]sighting) {
	see := func(s sighting) { seen[s.tag] = s }
	for end := time.Now().Add(quiet); ctx.Err() == nil; eyes.wait(time.Until(end)) {
		eyes.drain(see)
		if !outstanding(probes, tags, seen) || time.Now().After(end) {
			return
		}
	}
}

func outstanding(probes []Probe, tags []uint32, seen map[uint32]sighting) bool {
	for i, p := range probes {
		if _, ok := seen[tags[i]]; !ok && !ends(p) {
			return true
		}
	}
	return false
}

// ends says that a packet is never delivered: left alone, it goes to where
// nothing leaves the host.
func ends(p Probe) bool {
	return p.Want == builder.Dropped || p.Want == builder.Direct && p.Path == iptables.Leaving && p.Packet.Out != "lo"
}

// verdict reads from where a packet was delivered what was done with it.
func (r *run) verdict(p Probe, s sighting, seen bool) builder.Verdict {
	switch {
	case !seen && p.Path == iptables.Leaving && p.Packet.Out != "lo":
		return builder.Direct
	case !seen && p.Want == builder.Dropped:
		return builder.Dropped
	case !seen:
		return lostPacket
	case p.Origin.IsValid() && s.from == p.Origin:
		return Answered
	case p.Origin.IsValid():
		return builder.Verdict(fmt.Sprintf("an answer from %s instead of %s", s.from, p.Origin))
	case p.Packet.Reply && s.to.Addr() == p.Packet.Dst:
		return Returned
	case s.to.Addr() == p.Packet.Dst && s.to.Port() == uint16(p.Packet.DstPort):
		return r.unchanged(p, s)
	}
	return r.redirected(s)
}

// unchanged: TPROXY changes nothing but the mark.
func (r *run) unchanged(p Probe, s sighting) builder.Verdict {
	if mark := uint32(r.config.TProxyMark); r.config.TProxied() && s.mark == mark && p.Packet.Mark != mark {
		return builder.ToIn
	}
	return builder.Direct
}

func (r *run) redirected(s sighting) builder.Verdict {
	switch iptables.Port(s.to.Port()) {
	case r.config.InboundPort:
		return builder.ToIn
	case r.config.OutboundPort:
		return builder.ToOut
	case r.config.DNSPort:
		return builder.ToDNS
	}
	return builder.Verdict(fmt.Sprint(s.to))
}
