package interception

import (
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
	"github.com/sluicemesh/sluice/netns"
)

// Remark is something that the user should know although nothing failed.
type Remark string

// Families says which families are programmed in a namespace, and what is
// worth saying about it. A family is left out only where no packet of it can
// pass, or because the user said so: a family without rules bypasses the mesh.
func Families(choice builder.FamilyChoice, f netns.Facts) ([]iptables.Family, []Remark, error) {
	var families []iptables.Family
	var remarks []Remark
	if choice.Wants(iptables.V4) {
		families = append(families, iptables.V4)
	}
	switch {
	case !choice.Wants(iptables.V6):
		if f.IPv6 == netns.IPv6Enabled && f.ReachesIPv6() {
			remarks = append(remarks, "IPv6 is left alone because ip-families is v4, but this namespace has IPv6: it bypasses the proxy")
		}
	case f.IPv6 == netns.IPv6Enabled:
		families = append(families, iptables.V6)
	case choice == builder.FamiliesAuto:
		remarks = append(remarks, Remark("IPv6 is not programmed: "+ipv6Off(f)))
	default:
		return nil, nil, &Error{Kind: Unavailable, Op: "program IPv6, which ip-families asks for",
			Words: "IPv6 is " + ipv6Off(f), Hint: "set ip-families to auto or v4"}
	}
	return families, remarks, nil
}

func ipv6Off(f netns.Facts) string {
	if f.IPv6 == netns.IPv6Disabled {
		return fmt.Sprintf("%s (net.ipv6.conf.{%s}.disable_ipv6 = 1)", f.IPv6, strings.Join(f.IPv6Off, ","))
	}
	return f.IPv6.String()
}

// withoutIPv6 decides what it means that the backend cannot program IPv6. It
// is an error where IPv6 leads anywhere, unless the user did without it.
func withoutIPv6(choice builder.FamilyChoice, f netns.Facts, cause string) (Remark, error) {
	if choice != builder.FamiliesAuto || f.ReachesIPv6() {
		return "", &Error{Kind: Unavailable, Op: "program IPv6", Words: cause,
			Hint: "install ip6tables, use --backend nftables, or set --ip-families v4 and accept that IPv6 bypasses the proxy"}
	}
	return Remark("IPv6 is not programmed: " + cause + "; this namespace has no IPv6 address beyond its own link yet"), nil
}
