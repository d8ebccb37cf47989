package iptables

import (
	"hash/fnv"
	"net/netip"
	"strconv"
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
	digits := strconv.FormatUint(sum.Sum64(), 16)
	for len(digits) < 16 {
		digits = "0" + digits
	}
	return SetPrefix + family + digits
}
