package nftables

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// String is the text for "nft -f": every table whole. Loading it into a
// namespace without our tables gives what [Conn.Apply] gives.
func (ts Tables) String() string {
	texts := make([]string, len(ts))
	for i, t := range ts {
		texts[i] = t.String()
	}
	return strings.Join(texts, "\n")
}

// String is the table as "nft list table" prints it, but for the priorities,
// which are numbers here: their names are not valid on every hook.
func (t Table) String() string {
	var b strings.Builder
	b.WriteString("table " + t.Family() + " " + Name + " {\n")
	for i, c := range t.Chains {
		if i > 0 {
			b.WriteByte('\n')
		}
		c.write(&b)
	}
	b.WriteString("}\n")
	return b.String()
}

func (c Chain) write(b *strings.Builder) {
	b.WriteString("\tchain " + c.Name + " {\n")
	if c.Hook != (Hook{}) {
		b.WriteString("\t\t" + c.Hook.String() + "\n")
	}
	for _, r := range c.Rules {
		b.WriteString("\t\t" + r.String() + "\n")
	}
	b.WriteString("\t}\n")
}

// String is the hook's line: "type nat hook output priority -100; policy accept;".
func (h Hook) String() string {
	policy := "accept"
	if h.Drop {
		policy = "drop"
	}
	return fmt.Sprintf("type %s hook %s priority %d; policy %s;", h.Type, h.Name, h.Priority, policy)
}

// String is the rule as nft prints it, without counters' values.
func (r Rule) String() string {
	var words []string
	if r.Only != 0 && !hasAddress(r.Match) {
		words = append(words, "meta nfproto "+map[iptables.Family]string{iptables.V4: "ipv4", iptables.V6: "ipv6"}[r.Only])
	}
	for _, m := range r.Match {
		if text := matchText(m, r.Match); text != "" {
			words = append(words, text)
		}
	}
	if r.Counted {
		words = append(words, "counter")
	}
	if text := targetText(r.Target, r.Only); text != "" {
		words = append(words, text)
	}
	if r.Comment != "" {
		words = append(words, `comment "`+r.Comment+`"`)
	}
	return strings.Join(words, " ")
}

func hasAddress(matches []iptables.Match) bool {
	for _, m := range matches {
		if len(iptables.PrefixesOf(m)) > 0 {
			return true
		}
	}
	return false
}

// targetText is a target as nft prints it; only is the family of the rule.
func targetText(t iptables.Target, only iptables.Family) string {
	switch t := t.(type) {
	case iptables.Verdict:
		return strings.ToLower(string(t))
	case iptables.JumpTo:
		if t.Goto {
			return "goto " + t.Chain
		}
		return "jump " + t.Chain
	case iptables.Redirect:
		return fmt.Sprintf("redirect to :%d", t.Port)
	case iptables.TProxy:
		return tproxyText(t, only) + " " + markSetText(iptables.SetMark{Value: t.Mark, Mask: t.Mask}) + " accept"
	case iptables.SetMark:
		return markSetText(t)
	case iptables.SaveMark:
		return "ct mark set meta mark" + maskText(t.NFMask)
	case iptables.RestoreMark:
		return "meta mark set ct mark" + maskText(t.CTMask)
	case iptables.Zone:
		return fmt.Sprintf("ct zone set %d", t.ID)
	case iptables.Log:
		return `log prefix "` + t.Prefix + `"`
	}
	return ""
}

// tproxyText names the family where the rule has one: nft wants both to agree.
func tproxyText(t iptables.TProxy, only iptables.Family) string {
	word := "tproxy "
	if only != 0 {
		word += familyWord(only, "") + " "
	}
	if !t.On.IsValid() {
		return fmt.Sprintf("%sto :%d", word, t.Port)
	}
	return word + "to " + netip.AddrPortFrom(t.On, uint16(t.Port)).String()
}

func markSetText(t iptables.SetMark) string {
	if t.Mask == iptables.FullMask {
		return fmt.Sprintf("meta mark set 0x%08x", t.Value)
	}
	return fmt.Sprintf("meta mark set meta mark & 0x%08x ^ 0x%08x", ^t.Mask, t.Value)
}

func maskText(mask uint32) string {
	if mask == iptables.FullMask {
		return ""
	}
	return fmt.Sprintf(" & 0x%08x", mask)
}
