package builder

import (
	"encoding"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// draft is a Config in the making, with what only makes sense once all
// settings are known.
type draft struct {
	config Config
	opts   Options

	inbound, excludedInbound   Ports
	redirectDNS, captureAllDNS bool
	gidGiven                   bool
	servers                    []Resolver
	resolvConf                 string
	origins                    map[string]Input // the input that decided, by flag
}

// Each function below makes the reader of a setting from the place of its value.

type reader = func(*draft, string) ([]note, error)

type textReader = encoding.TextUnmarshaler

func text(at func(*Config) textReader) reader {
	return func(d *draft, s string) ([]note, error) {
		return nil, at(&d.config).UnmarshalText([]byte(s))
	}
}

func boolean(at func(*draft) *bool) reader {
	return func(d *draft, s string) ([]note, error) {
		v, err := ParseBool(s)
		*at(d) = v
		return nil, err
	}
}

func port(at func(*Config) *iptables.Port) reader {
	return func(d *draft, s string) ([]note, error) {
		var p Port
		err := p.UnmarshalText([]byte(s))
		*at(&d.config) = iptables.Port(p)
		return nil, err
	}
}

func ports(at func(*draft) *Ports, wildcard bool) reader {
	return func(d *draft, s string) ([]note, error) {
		p, notes, err := ParsePorts(s)
		if p.All && !wildcard {
			return notes, &ValueError{s, "would leave everything alone", acceptedPorts}
		}
		*at(d) = p
		return notes, err
	}
}

func cidrs(at func(*Config) *CIDRs, wildcard bool) reader {
	return func(d *draft, s string) ([]note, error) {
		c, notes, err := ParseCIDRs(s)
		if c.All && !wildcard {
			return notes, &ValueError{s, "would leave everything alone", acceptedCIDR + ", separated by commas"}
		}
		*at(&d.config) = c
		return notes, err
	}
}

func interfaces(at func(*Config) *[]Interface) reader {
	return func(d *draft, s string) ([]note, error) {
		list, notes, err := ParseInterfaces(s)
		*at(&d.config) = list
		return notes, err
	}
}

func readVirtualInterfaces(d *draft, s string) ([]note, error) {
	list, notes, err := ParseInterfaces(s)
	for _, i := range list {
		if i.matches("lo") {
			return notes, &ValueError{string(i), "lo is not the interface of a virtual machine", acceptedInterface}
		}
	}
	d.config.VirtualInterfaces = list
	return notes, err
}

func readProxyUIDs(d *draft, s string) ([]note, error) {
	ids, notes, err := ParseIDs(s, d.opts.LookUpUser)
	if len(ids) > 0 {
		d.config.ProxyUIDs = ids
	}
	return notes, err
}

func readProxyGIDs(d *draft, s string) ([]note, error) {
	ids, notes, err := ParseIDs(s, d.opts.LookUpGroup)
	if len(ids) > 0 {
		d.config.ProxyGIDs, d.gidGiven = ids, true
	}
	return notes, err
}

func readOwnerGroups(d *draft, s string) (notes []note, err error) {
	d.config.OwnerGroups, notes, err = ParseGroups(s, d.opts.LookUpGroup)
	return notes, err
}

func readOwnerGroupsExclude(d *draft, s string) (notes []note, err error) {
	d.config.ExcludeOwnerGroups, notes, err = ParseIDs(s, d.opts.LookUpGroup)
	return notes, err
}

func readUIDExclusions(d *draft, s string) (notes []note, err error) {
	d.config.ExcludePortsForUIDs, notes, err = ParseUIDExclusions(s)
	return notes, err
}

func readDNSServers(d *draft, s string) (notes []note, err error) {
	d.servers, notes, err = ParseResolvers(s)
	return notes, err
}

func readResolvConf(d *draft, s string) ([]note, error) {
	d.resolvConf = s
	return nil, nil
}

// readDualStack: IPv6 is programmed wherever it is enabled, so that no family
// bypasses the mesh; "auto" is this setting's own default.
func readDualStack(_ *draft, s string) ([]note, error) {
	if strings.TrimSpace(s) == "auto" {
		return nil, nil
	}
	_, err := ParseBool(s)
	return nil, err
}

func readNativeNftables(d *draft, s string) ([]note, error) {
	v, err := ParseBool(s)
	if v {
		d.config.Backend = BackendNftables
	}
	return nil, err
}

func readForcedBinary(d *draft, s string) ([]note, error) {
	switch {
	case strings.Contains(s, "legacy"):
		d.config.Backend = BackendIptablesLegacy
	case strings.Contains(s, "nft"):
		d.config.Backend = BackendIptablesNft
	case strings.TrimSpace(s) == "iptables":
		d.config.Backend = BackendIptables
	default:
		return nil, &ValueError{s, "names no flavour of iptables", "legacy, nft, iptables-legacy, iptables-nft or iptables"}
	}
	return nil, nil
}
