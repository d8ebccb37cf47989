package iptables

import (
	"fmt"
	"net/netip"
)

// A value that constrains nothing, or cannot be spelled, has a problem. Rules
// with problems are never rendered: Ruleset.Validate finds them first.

const anInterface = 15 // IFNAMSIZ - 1, include/uapi/linux/if.h

func (m Source) problem() string       { return prefixProblem(m.Prefix) }
func (m Destination) problem() string  { return prefixProblem(m.Prefix) }
func (m InInterface) problem() string  { return nameProblem("interface", m.Name, anInterface) }
func (m OutInterface) problem() string { return nameProblem("interface", m.Name, anInterface) }

func (m Protocol) problem() string {
	if m.Number == 0 {
		return "protocol without a number"
	}
	return ""
}

func (m SourcePort) problem() string      { return portProblem(m.Range) }
func (m DestinationPort) problem() string { return portProblem(m.Range) }

func (m MultiPort) problem() string {
	if len(m.Ranges) == 0 {
		return "multiport without ports"
	}
	for _, r := range m.Ranges {
		if p := portProblem(r); p != "" {
			return p
		}
	}
	if n := slots(m.Ranges); n > MultiPortSlots {
		return fmt.Sprintf("multiport with %d slots of at most %d", n, MultiPortSlots)
	}
	return ""
}

func (m UIDOwner) problem() string { return idProblem(m.Range) }
func (m GIDOwner) problem() string { return idProblem(m.Range) }

func (m PacketMark) problem() string { return maskProblem(m.Mask) }
func (m ConnMark) problem() string   { return maskProblem(m.Mask) }

func (m ConnState) problem() string {
	if len(m.States) == 0 {
		return "conntrack match without a state"
	}
	return ""
}

func (ConnDirection) problem() string     { return "" }
func (TransparentSocket) problem() string { return "" }
func (Opening) problem() string           { return "" }

func (m InSet) problem() string { return nameProblem("set", m.Name, 31) } // IPSET_MAXNAMELEN - 1

func (m PortInSet) problem() string { return nameProblem("set", m.Name, 31) }

func (m Opaque) problem() string {
	if len(m.Words) == 0 {
		return "match without words"
	}
	return ""
}

func (t Verdict) problem() string {
	switch t {
	case VerdictAccept, VerdictDrop, VerdictReturn, VerdictQueue:
		return ""
	}
	return fmt.Sprintf("unknown verdict %q", string(t))
}

func (t JumpTo) problem() string { return nameProblem("chain", t.Chain, 28) } // XT_EXTENSION_MAXNAMELEN - 1

func (t Redirect) problem() string { return portProblem(OnePort(t.Port)) }

func (t TProxy) problem() string {
	if !t.On.IsValid() {
		return "TPROXY without an address"
	}
	if t.Mark == 0 || t.Mask == 0 {
		return "TPROXY without a mark"
	}
	return portProblem(OnePort(t.Port))
}

func (t SetMark) problem() string     { return maskProblem(t.Mask) }
func (t SaveMark) problem() string    { return maskProblem(t.NFMask & t.CTMask) }
func (t RestoreMark) problem() string { return maskProblem(t.NFMask & t.CTMask) }

func (t Zone) problem() string {
	if t.ID == 0 {
		return "conntrack zone 0 is no zone"
	}
	return ""
}

func (t Log) problem() string {
	if t.Prefix == "" || len(t.Prefix) > 29 {
		return fmt.Sprintf("log prefix %q must have 1 to 29 bytes", t.Prefix)
	}
	return ""
}

func (t OpaqueTarget) problem() string { return nameProblem("target", t.Name, 28) }

func prefixProblem(p netip.Prefix) string {
	if !p.IsValid() {
		return "address match without a prefix"
	}
	if p != p.Masked() {
		return fmt.Sprintf("prefix %s has host bits set", p)
	}
	return ""
}

func nameProblem(what, name string, most int) string {
	if name == "" {
		return what + " without a name"
	}
	if len(name) > most {
		return fmt.Sprintf("%s name %q is longer than %d bytes", what, name, most)
	}
	return ""
}

func portProblem(r PortRange) string {
	if r.First == 0 || r.Last < r.First {
		return fmt.Sprintf("port range %s is empty or starts at 0", r)
	}
	return ""
}

func idProblem(r IDRange) string {
	if r.Last < r.First {
		return fmt.Sprintf("id range %s is empty", r)
	}
	return ""
}

func maskProblem(mask uint32) string {
	if mask == 0 {
		return "mark under an empty mask"
	}
	return ""
}

// slots is the room that port ranges take in a multiport match.
func slots(ranges []PortRange) int {
	n := len(ranges)
	for _, r := range ranges {
		if !r.Single() {
			n++
		}
	}
	return n
}
