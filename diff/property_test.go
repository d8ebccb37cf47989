package diff

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
	"github.com/sluicemesh/sluice/iptables"
)

var (
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random rule sets and packets")
	rounds = flag.Int("rounds", 250, "random pairs of rule sets")
)

// vector writes a packet as the bits of a space; false for a packet outside of it.
func (s *space) vector(p iptables.Packet, path iptables.Path) []byte {
	bits := make([]byte, s.end()+len(s.opaque))
	put := func(d dimension, v uint32) {
		f := s.fields[d]
		for i := range f.bits {
			bits[f.level(f.bits-1-i)] = byte(v >> i & 1)
		}
	}
	flag := func(d dimension, b bool) {
		if b {
			put(d, 1)
		}
	}
	addr := func(d dimension, a netip.Addr) {
		for i := range s.fields[d].bits {
			bits[s.fields[d].level(i)] = a.AsSlice()[i/8] >> (7 - i%8) & 1
		}
	}
	name := p.In
	if path == iptables.Leaving {
		name = p.Out
	}
	flag(dimPath, path == iptables.Leaving)
	put(dimProtocol, uint32(p.Protocol))
	flag(dimReply, p.Reply)
	put(dimState, uint32(slices.Index(states(), p.State)))
	put(dimInterface, uint32(s.class(name)))
	flag(dimOwned, p.Owner != nil)
	if p.Owner != nil {
		put(dimUID, p.Owner.UID)
		put(dimGID, p.Owner.GID)
	}
	addr(dimDst, p.Dst)
	addr(dimSrc, p.Src)
	put(dimDstPort, uint32(p.DstPort))
	put(dimSrcPort, uint32(p.SrcPort))
	put(dimMark, p.Mark)
	put(dimConnMark, p.ConnMark)
	flag(dimTransparent, p.Transparent)
	flag(dimMidstream, p.Midstream)
	return bits
}

// class finds the class of a name: an exact one, or the longest beginning.
func (s *space) class(name string) int {
	best, length := slices.Index(s.classes, "*"), -1
	for i, c := range s.classes {
		if c == name {
			return i
		}
		if p, ok := strings.CutSuffix(c, "*"); ok && strings.HasPrefix(name, p) && len(p) > length {
			best, length = i, len(p)
		}
	}
	return best
}

func (s *space) has(set bdd.Ref, bits []byte) bool {
	for {
		level, ok := s.Level(set)
		if !ok {
			return set == bdd.Everything
		}
		lo, hi := s.Split(set)
		if set = lo; bits[level] == 1 {
			set = hi
		}
	}
}

// follow is the end of one packet, by iptables.Tracer.
func follow(rs iptables.Ruleset, routed []uint32, p iptables.Packet, path iptables.Path) (end, iptables.Outcome) {
	t := rs.Tracer()
	t.Local = func(m uint32) bool { return slices.Contains(routed, m) }
	out := t.Follow(p, path)
	e := end{Fate: out.Fate, Port: out.Port}
	switch {
	case out.Fate == iptables.Unknown:
		e.What = what(out.Stop)
	case out.Fate == iptables.Passed && path == iptables.Leaving && p.Out != "lo" && out.Packet.In == "lo":
		e.Kept = true
	}
	return e, out
}

func what(s iptables.Step) string {
	switch t := s.Rule.Target.(type) {
	case iptables.Verdict:
		return string(t)
	case iptables.JumpTo:
		return "a jump to the missing chain " + t.Chain
	}
	return iptables.Rule{Target: s.Rule.Target}.String()
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// vocabulary is the constants of the random rules, and for each what lies beside.
var (
	addresses = []string{"127.0.0.1", "127.0.0.6", "192.0.2.5", "10.1.2.3"}
	ports     = []iptables.Port{53, 80, 15001, 15006}
	devices   = []string{"lo", "eth0", "net1", "net7"}
	marks     = []uint32{0, 0x539, 0x53a, 0x10539}
	ids       = []uint32{0, 1000, 1337}
)

func randomMatch(r *rand.Rand, path iptables.Path) iptables.Match {
	not := func(m iptables.Match) iptables.Match {
		if r.IntN(4) == 0 {
			return iptables.Not(m)
		}
		return m
	}
	switch r.IntN(15) {
	case 0, 1:
		return not(iptables.To(netip.MustParsePrefix(pick(r, "127.0.0.1/32", "127.0.0.0/8", "192.0.2.0/24", "10.0.0.0/8"))))
	case 2:
		return not(iptables.From(netip.MustParsePrefix(pick(r, "127.0.0.6/32", "192.0.2.0/24"))))
	case 3, 4:
		name := pick(r, "lo", "eth0", "net+", "net1", "+")
		if path == iptables.Leaving {
			return not(iptables.Out(name))
		}
		return not(iptables.In(name))
	case 5, 6:
		return not(iptables.ToPort(pick(r, iptables.OnePort(80), iptables.PortRange{First: 53, Last: 80}, iptables.OnePort(15001), iptables.OnePort(15006))))
	case 7:
		return not(iptables.ToPorts(iptables.OnePort(53), iptables.PortRange{First: 15000, Last: 15006}))
	case 8:
		if path == iptables.Leaving {
			return not(iptables.ByUID(iptables.IDRange{First: pick[uint32](r, 0, 1000), Last: pick[uint32](r, 1000, 1337)}))
		}
		return pick[iptables.Match](r, iptables.TransparentSocket{}, iptables.Opens(), iptables.Not(iptables.Opens()))
	case 9:
		if path == iptables.Leaving {
			return not(iptables.ByGID(iptables.OneID(1337)))
		}
		return iptables.Reply()
	case 10, 11:
		return not(iptables.PacketMark{Value: pick[uint32](r, 0x539, 0x53a), Mask: pick[uint32](r, 0xffff, iptables.FullMask)})
	case 12:
		return not(iptables.ConnMark{Value: 0x539, Mask: pick[uint32](r, 0xffff, iptables.FullMask)})
	case 13:
		return not(iptables.InState(pick(r, states()...), pick(r, states()...)))
	}
	return iptables.ConnDirection{Reply: r.IntN(2) == 0}
}

func randomTarget(r *rand.Rand, table iptables.Table, path iptables.Path, chains []string) iptables.Target {
	options := []iptables.Target{
		iptables.Return(), iptables.Return(), iptables.Accept(), iptables.Drop(), iptables.Log{Prefix: "x"},
		iptables.OpaqueTarget{Name: "REJECT"}, iptables.OpaqueTarget{Name: "NFLOG"},
	}
	for _, c := range chains {
		options = append(options, iptables.Jump(c), iptables.Jump(c), iptables.Jump(c), iptables.JumpTo{Chain: c, Goto: true})
	}
	switch table {
	case iptables.Nat:
		redirect := iptables.Redirect{Port: pick[iptables.Port](r, 15001, 15006)}
		options = append(options, redirect, redirect, redirect, iptables.OpaqueTarget{Name: "DNAT", Words: []string{"--to-destination", "10.0.0.1"}})
	case iptables.Mangle:
		full := iptables.FullMask
		mark := iptables.SetMark{Value: pick[uint32](r, 0x539, 0x53a), Mask: pick(r, full, 0xffff, 0x3)}
		options = append(options, mark, mark, iptables.SaveMark{NFMask: full, CTMask: pick(r, full, 0xff)}, iptables.RestoreMark{NFMask: full, CTMask: full})
		if path == iptables.Arriving {
			options = append(options, iptables.TProxy{Port: 15006, Mark: 0x539, Mask: full, On: netip.IPv4Unspecified()})
		}
	case iptables.Raw:
		options = append(options, iptables.Zone{ID: 1}, iptables.Zone{ID: 2}, iptables.OpaqueTarget{Name: "CT", Words: []string{"--notrack"}})
	}
	return pick(r, options...)
}

func randomRules(r *rand.Rand) iptables.Ruleset {
	rs := iptables.Ruleset{Family: iptables.V4}
	for _, path := range []iptables.Path{iptables.Arriving, iptables.Leaving} {
		for _, h := range path.Hooks() {
			if r.IntN(2) == 0 {
				continue
			}
			chains := []string{fmt.Sprintf("A_%s", h.Chain), fmt.Sprintf("B_%s", h.Chain)}
			for i, name := range append([]string{h.Chain}, chains...) {
				c := iptables.Chain{Table: h.Table, Name: name}
				for range 1 + r.IntN(4) {
					rule := iptables.Rule{Match: []iptables.Match{iptables.TCP()}, Target: randomTarget(r, h.Table, path, chains[min(i, 2):])}
					for range r.IntN(3) {
						rule.Match = append(rule.Match, randomMatch(r, path))
					}
					c.Rules = append(c.Rules, rule)
				}
				if i == 0 && r.IntN(10) == 0 {
					c.Policy = iptables.VerdictDrop
				}
				rs.Chains = append(rs.Chains, c)
			}
		}
	}
	return rs
}

// mutate deletes, swaps or edits one rule.
func mutate(r *rand.Rand, rs iptables.Ruleset) iptables.Ruleset {
	rs.Chains = slices.Clone(rs.Chains)
	for range 100 {
		i := r.IntN(len(rs.Chains))
		c := &rs.Chains[i]
		rules := slices.Clone(c.Rules)
		at := r.IntN(len(rules))
		switch r.IntN(3) {
		case 0:
			rules = slices.Delete(rules, at, at+1)
		case 1:
			if len(rules) < 2 {
				continue
			}
			j := (at + 1) % len(rules)
			rules[at], rules[j] = rules[j], rules[at]
		case 2:
			rules[at].Match = append(slices.Clone(rules[at].Match), randomMatch(r, pathOf(c.Name)))
		}
		c.Rules = rules
		return rs
	}
	return rs
}

func pathOf(chain string) iptables.Path {
	if strings.HasSuffix(chain, iptables.Output) || strings.HasSuffix(chain, iptables.Postrouting) {
		return iptables.Leaving
	}
	return iptables.Arriving
}

func randomPacket(r *rand.Rand) (iptables.Packet, iptables.Path) {
	p := iptables.Packet{
		Protocol: pick(r, iptables.ProtoTCP, iptables.ProtoTCP, iptables.ProtoTCP, iptables.ProtoUDP),
		Src:      netip.MustParseAddr(pick(r, addresses...)), Dst: netip.MustParseAddr(pick(r, addresses...)),
		SrcPort: 40000, DstPort: pick(r, ports...), State: pick(r, states()...),
		Mark: pick(r, marks...),
	}
	p.Midstream = p.Protocol == iptables.ProtoTCP && r.IntN(2) == 0
	if p.State == iptables.StateEstablished || p.State == iptables.StateRelated {
		p.ConnMark, p.Reply = pick(r, marks...), r.IntN(2) == 0
	}
	if r.IntN(2) == 0 {
		p.In, p.Transparent = pick(r, devices[1:]...), r.IntN(2) == 0
		return p, iptables.Arriving
	}
	p.Out = pick(r, devices...)
	if r.IntN(4) > 0 {
		p.Owner = &iptables.Owner{UID: pick(r, ids...), GID: pick(r, ids...)}
	}
	return p, iptables.Leaving
}

// differ says by iptables.Tracer whether two rule sets treat a packet differently.
func differ(c *comparison, was, now iptables.Ruleset, p iptables.Packet, path iptables.Path) bool {
	a, outA := follow(was, c.was.routed, p, path)
	b, outB := follow(now, c.was.routed, p, path)
	if a != b {
		return true
	}
	if a.Fate == iptables.Dropped {
		return false
	}
	read := c.was.connMarkRead() | c.now.connMarkRead()
	routed := func(m uint32) uint32 {
		if slices.Contains(c.was.routed, m) {
			return m
		}
		return 0
	}
	return outA.Zone != outB.Zone || routed(outA.Mark) != routed(outB.Mark) || tracked(outA.Packet, outB.Packet) && (outA.ConnMark^outB.ConnMark)&read != 0
}

func tracked(a, b iptables.Packet) bool {
	ok := func(s iptables.State) bool { return s != iptables.StateInvalid && s != iptables.StateUntracked }
	return ok(a.State) || ok(b.State)
}

// union is all packets that a comparison calls different.
func (c *comparison) union() bdd.Ref {
	set := bdd.Nothing
	for _, x := range append(c.changes(), c.traces()...) {
		set = c.Or(set, x.set)
	}
	return set
}

func TestDifferencesHoldExactlyThePacketsThatTraceTreatsDifferently(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	different, kinds := 0, map[iptables.Fate]int{}
	for range *rounds {
		was := randomRules(r)
		if len(was.Chains) == 0 {
			continue
		}
		now := mutate(r, was)
		if r.IntN(3) == 0 {
			now = randomRules(r)
		}
		c := newComparison(Side{Rules: was}, Side{Rules: now})
		set := c.union()
		for range 200 {
			p, path := randomPacket(r)
			want := differ(c, was, now, p, path)
			bits := c.vector(p, path)
			if !c.has(c.feasible, bits) {
				t.Fatalf("%+v is not feasible", p)
			}
			if got := c.has(set, bits); got != want {
				a, _ := follow(was, c.was.routed, p, path)
				b, _ := follow(now, c.was.routed, p, path)
				t.Fatalf("%s %+v owner %+v: got different %v, want %v (%+v, %+v)\n%s\n----\n%s", path, p, p.Owner, got, want, a, b, dump(was), dump(now))
			}
			if want {
				different++
			}
			e, _ := follow(was, c.was.routed, p, path)
			kinds[e.Fate]++
		}
	}
	for _, f := range []iptables.Fate{iptables.Passed, iptables.Dropped, iptables.Redirected, iptables.TProxied, iptables.Unknown} {
		if kinds[f] < *rounds {
			t.Errorf("only %d packets had fate %d: the random packets miss their mark", kinds[f], f)
		}
	}
	if different < *rounds {
		t.Errorf("only %d packets were treated differently", different)
	}
}

func dump(rs iptables.Ruleset) string {
	var b strings.Builder
	for _, c := range rs.Chains {
		fmt.Fprintf(&b, "*%s\n:%s %s\n", c.Table, c.Name, c.Policy)
		for _, r := range c.Rules {
			fmt.Fprintf(&b, "-A %s %s\n", c.Name, r)
		}
	}
	return b.String()
}

// everyPacket visits one packet of each class that the constants of the random
// rules tell apart, in new connections and established ones.
func everyPacket(visit func(iptables.Packet, iptables.Path)) {
	for _, path := range []iptables.Path{iptables.Arriving, iptables.Leaving} {
		for _, dst := range addresses {
			for _, src := range addresses[1:3] {
				for _, port := range ports {
					for _, device := range devices {
						for _, mark := range marks {
							for _, state := range []iptables.State{iptables.StateNew, iptables.StateEstablished, iptables.StateInvalid} {
								for _, id := range ids {
									p := iptables.Packet{
										Protocol: iptables.ProtoTCP, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
										SrcPort: 40000, DstPort: port, State: state, Mark: mark,
									}
									if p.In = device; path == iptables.Leaving {
										p.In, p.Out, p.Owner = "", device, &iptables.Owner{UID: id, GID: id}
									} else if p.Transparent = id == 0; id > 1000 {
										continue
									}
									if state == iptables.StateEstablished {
										p.ConnMark, p.Reply = mark, id == 0
									}
									if p.In != "lo" {
										visit(p, path)
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

func TestRuleSetsWithOneRuleChangedDifferOrTheChangeIsVoid(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 3))
	found, void := 0, 0
	for found < 40 || found+void < 100 {
		was := randomRules(r)
		if len(was.Chains) == 0 {
			continue
		}
		now := mutate(r, was)
		c := newComparison(Side{Rules: was}, Side{Rules: now})
		if c.union() != bdd.Nothing {
			found++
			continue
		}
		if void++; void > 15 { // each takes a good while
			continue
		}
		everyPacket(func(p iptables.Packet, path iptables.Path) {
			if differ(c, was, now, p, path) {
				t.Fatalf("called equivalent, but %s %+v owner %+v is treated differently\n%s----\n%s", path, p, p.Owner, dump(was), dump(now))
			}
		})
	}
	t.Logf("%d changes found, %d void", found, void)
}

func TestEverySentenceNamesAPacketThatIsTreatedDifferently(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 2))
	for range *rounds / 2 {
		was := randomRules(r)
		if len(was.Chains) == 0 {
			continue
		}
		now := mutate(r, was)
		result, err := Compare(Side{Rules: was}, Side{Rules: now})
		if err != nil {
			t.Fatal(err)
		}
		c := newComparison(Side{Rules: was}, Side{Rules: now})
		if (c.union() == bdd.Nothing) != result.Equivalent() {
			t.Fatalf("equivalent %v, yet the sets say otherwise", result.Equivalent())
		}
		for _, d := range result.Differences {
			if !differ(c, was, now, d.Example, d.Path) {
				t.Errorf("%s\nexample %+v owner %+v is treated alike\n%s\n---\n%s", d, d.Example, d.Example.Owner, dump(was), dump(now))
			}
		}
	}
}
