package builder

import (
	"errors"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// UIDExclusion leaves connections of some uids to some ports alone: one init
// container's way out before the proxy runs. Never applies to the proxy.
type UIDExclusion struct {
	Protocol uint8 // TCP or UDP
	Ports    Ports
	UIDs     IDs
}

const acceptedExclusion = "tcp:PORTS:UIDS or udp:PORTS:UIDS with ports as a-b ranges, ; between exclusions"

// parseUIDExclusions accepts "tcp:80,443:1000,2000;udp:53:1000". Ports are
// ranges with a dash here, since the colon separates the parts.
func parseUIDExclusions(text string) ([]UIDExclusion, []string, error) {
	items, notes := listItems(text, ";")
	var list []UIDExclusion
	var errs []error
	for _, item := range items {
		x, n, err := parseUIDExclusion(item)
		notes = append(notes, n...)
		errs = append(errs, err)
		list = append(list, x)
	}
	return list, notes, errors.Join(errs...)
}

func parseUIDExclusion(item string) (UIDExclusion, []note, error) {
	parts := strings.Split(item, ":")
	if len(parts) != 3 {
		return UIDExclusion{}, nil, &ValueError{item, "not three parts", acceptedExclusion}
	}
	proto, ok := map[string]uint8{"tcp": iptables.ProtoTCP, "udp": iptables.ProtoUDP}[strings.ToLower(strings.TrimSpace(parts[0]))]
	if !ok {
		return UIDExclusion{}, nil, &ValueError{item, "the protocol must be tcp or udp", acceptedExclusion}
	}
	ports, notes, err := parsePorts(parts[1])
	if err == nil && ports.Empty() {
		err = &ValueError{item, "no port", acceptedExclusion}
	}
	if ports.All {
		ports = Ports{Ranges: []iptables.PortRange{{First: 1, Last: 65535}}}
	}
	uids, more, uidErr := parseIDs(parts[2], nil)
	if uidErr == nil && len(uids) == 0 {
		uidErr = &ValueError{item, "no uid", acceptedExclusion}
	}
	return UIDExclusion{proto, ports, uids}, append(notes, more...), errors.Join(err, uidErr)
}

// String is the input form.
func (x UIDExclusion) String() string {
	return iptables.ProtocolName(x.Protocol) + ":" + x.Ports.String() + ":" + x.UIDs.String()
}

// Applies says whether a packet of a socket is excluded.
func (x UIDExclusion) Applies(p iptables.Packet) bool {
	return p.Owner != nil && p.Protocol == x.Protocol && x.Ports.Contains(p.DstPort) && x.UIDs.Contains(p.Owner.UID)
}
