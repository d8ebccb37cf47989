package iptables

// legacyForm recognises the rules that the mesh's own tool writes straight into
// built-in chains, beside its jumps: RETURNs for excluded interfaces, and in
// TPROXY mode the mark handling. They are removed when sluice takes over or
// cleans up. testdata/legacy lists them as found.
//
// Only fixed shapes count: one RETURN on one interface, CONNMARK save or
// restore under a mark, and the self-call mark by owner over lo.
func legacyForm(c Chain, r Rule) bool {
	switch t := r.Target.(type) {
	case Verdict:
		return t == VerdictReturn && interfaceOnly(c, r)
	case SaveMark:
		return c.Table == Mangle && c.Name == Prerouting && onlyTCPAnd(r, isPacketMark)
	case RestoreMark:
		return c.Table == Mangle && c.Name == Output && onlyTCPAnd(r, isConnMark)
	case SetMark:
		return c.Table == Mangle && c.Name == Output && t.Value == SelfCallMark && leavesByLo(r)
	}
	return false
}

// SelfCallMark marks a proxy's connection to its own pod in TPROXY mode, so
// that it goes through the inbound side although it arrives by lo.
const SelfCallMark uint32 = 1338

// interfaceOnly: "-i NAME -j RETURN" where packets arrive, "-o NAME" where they leave.
func interfaceOnly(c Chain, r Rule) bool {
	if len(r.Match) != 1 {
		return false
	}
	switch m := r.Match[0].(type) {
	case InInterface:
		return c.Name == Prerouting && !m.Not
	case OutInterface:
		return c.Name == Output && !m.Not
	}
	return false
}

func onlyTCPAnd(r Rule, is func(Match) bool) bool {
	found := false
	for _, m := range r.Match {
		if p, ok := m.(Protocol); ok && p.Number == ProtoTCP && !p.Not {
			continue
		}
		if !is(m) {
			return false
		}
		found = true
	}
	return found
}

func isPacketMark(m Match) bool { k, ok := m.(PacketMark); return ok && !k.Not }
func isConnMark(m Match) bool   { k, ok := m.(ConnMark); return ok && !k.Not }

func leavesByLo(r Rule) bool {
	for _, m := range r.Match {
		if o, ok := m.(OutInterface); ok && o.Name == "lo" && !o.Not {
			return true
		}
	}
	return false
}
