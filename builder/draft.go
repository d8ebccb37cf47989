package builder

import (
	"encoding"
	"fmt"
	"strconv"
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
	servers                    []Resolver
	resolvConf                 string
	origins                    map[string]Input // the input that decided, by flag
}

// field is a setting's place in the draft.
type field struct {
	read func(d *draft, text string) ([]note, error)
	show func(d *draft) string // in the input form; nil: as it was written
}

// Each function below makes the field of a setting from the place of its value.

func text[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](at func(*Config) *T) field {
	return field{
		func(d *draft, s string) ([]note, error) { return nil, P(at(&d.config)).UnmarshalText([]byte(s)) },
		func(d *draft) string { return fmt.Sprint(*at(&d.config)) },
	}
}

func boolean(at func(*draft) *bool) field {
	return field{
		func(d *draft, s string) (_ []note, err error) {
			*at(d), err = ParseBool(s)
			return nil, err
		},
		func(d *draft) string { return strconv.FormatBool(*at(d)) },
	}
}

func port(at func(*Config) *iptables.Port) field {
	return field{
		func(d *draft, s string) ([]note, error) {
			var p Port
			err := p.UnmarshalText([]byte(s))
			*at(&d.config) = iptables.Port(p)
			return nil, err
		},
		func(d *draft) string { return Port(*at(&d.config)).String() },
	}
}

func ports(at func(*draft) *Ports, wildcard bool) field {
	return field{
		func(d *draft, s string) ([]note, error) {
			p, notes, err := parsePorts(s)
			if p.All && !wildcard {
				return notes, &ValueError{s, "would leave everything alone", acceptedPorts}
			}
			*at(d) = p
			return notes, err
		},
		func(d *draft) string { return at(d).String() },
	}
}

func cidrs(at func(*Config) *CIDRs, wildcard bool) field {
	return field{
		func(d *draft, s string) ([]note, error) {
			c, notes, err := parseCIDRs(s)
			if c.All && !wildcard {
				return notes, &ValueError{s, "would leave everything alone", acceptedCIDR + ", separated by commas"}
			}
			*at(&d.config) = c
			return notes, err
		},
		func(d *draft) string { return at(&d.config).String() },
	}
}

func interfaces(at func(*Config) *[]Interface) field {
	return field{
		func(d *draft, s string) (notes []note, err error) {
			*at(&d.config), notes, err = parseInterfaces(s)
			return notes, err
		},
		func(d *draft) string { return join(*at(&d.config)) },
	}
}

func virtualInterfaces() field {
	f := interfaces(func(c *Config) *[]Interface { return &c.VirtualInterfaces })
	read := f.read
	f.read = func(d *draft, s string) ([]note, error) {
		notes, err := read(d, s)
		for _, i := range d.config.VirtualInterfaces {
			if i.matches("lo") {
				return notes, &ValueError{string(i), "lo is not the interface of a virtual machine", acceptedInterface}
			}
		}
		return notes, err
	}
	return f
}

func ids(at func(*Config) *IDs, names func(Options) LookUp) field {
	return field{
		func(d *draft, s string) (notes []note, err error) {
			*at(&d.config), notes, err = parseIDs(s, names(d.opts))
			return notes, err
		},
		func(d *draft) string { return at(&d.config).String() },
	}
}

func users(o Options) LookUp  { return o.LookUpUser }
func groups(o Options) LookUp { return o.LookUpGroup }

func ownerGroups() field {
	return field{
		func(d *draft, s string) (notes []note, err error) {
			d.config.OwnerGroups, notes, err = parseGroups(s, d.opts.LookUpGroup)
			return notes, err
		},
		func(d *draft) string { return d.config.OwnerGroups.String() },
	}
}

func uidExclusions() field {
	return field{
		func(d *draft, s string) (notes []note, err error) {
			d.config.ExcludePortsForUIDs, notes, err = parseUIDExclusions(s)
			return notes, err
		},
		func(d *draft) string { return joinBy(";", d.config.ExcludePortsForUIDs) },
	}
}

func dnsServers() field {
	return field{
		func(d *draft, s string) (notes []note, err error) {
			d.servers, notes, err = parseResolvers(s)
			return notes, err
		},
		func(d *draft) string { return join(d.servers) },
	}
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
	if !v {
		return nil, err
	}
	return d.backend("native-nftables", BackendNftables), nil
}

func readForcedBinary(d *draft, s string) ([]note, error) {
	switch {
	case strings.Contains(s, "legacy"):
		return d.backend("force-iptables-binary", BackendIptablesLegacy), nil
	case strings.Contains(s, "nft"):
		return d.backend("force-iptables-binary", BackendIptablesNft), nil
	case strings.TrimSpace(s) == "iptables":
		return d.backend("force-iptables-binary", BackendIptables), nil
	}
	return nil, &ValueError{s, "names no flavour of iptables", "legacy, nft, iptables-legacy, iptables-nft or iptables"}
}

// backend takes the choice of another setting than backend itself.
func (d *draft) backend(flag string, b Backend) (notes []note) {
	if before, given := d.origins["backend"]; given && d.config.Backend != b {
		notes = append(notes, fmt.Sprintf("counts more than backend %s (%s)", d.config.Backend, before.Origin))
	}
	d.config.Backend, d.origins["backend"] = b, d.origins[flag]
	return notes
}
