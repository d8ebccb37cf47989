package iptables

import (
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
)

// SetPrefix begins the name of every kernel set of sluice.
const SetPrefix = "sluice-"

// SetName is the name of the kernel set that holds exactly these addresses, the
// same for every spelling of the list: "sluice-4-" or "sluice-6-" and 16
// hexadecimal digits. Rules that differ only in a set's contents so differ in
// text, and a set never changes under a rule that is in use.
func SetName(elements []netip.Prefix) string {
	family := "4-"
	sum := fnv.New64a()
	for _, p := range Aggregate(elements) {
		if p.Addr().Is6() {
			family = "6-"
		}
		text, _ := p.MarshalBinary()
		sum.Write(append(text, 0xff))
	}
	return SetPrefix + family + digits(sum.Sum64())
}

// portSets begins the name of every kernel set of ports, after SetPrefix.
const portSets = "p-"

// PortSetName is SetName for ports: "sluice-p-" and 16 hexadecimal digits.
func PortSetName(ranges []PortRange) string {
	sum := fnv.New64a()
	for _, r := range JoinPorts(ranges) {
		sum.Write([]byte{byte(r.First >> 8), byte(r.First), byte(r.Last >> 8), byte(r.Last)})
	}
	return SetPrefix + portSets + digits(sum.Sum64())
}

func digits(sum uint64) string {
	text := strconv.FormatUint(sum, 16)
	return strings.Repeat("0", 16-len(text)) + text
}
