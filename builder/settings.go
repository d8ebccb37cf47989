package builder

import (
	"slices"

	"github.com/sluicemesh/sluice/iptables"
)

// Setting is one thing that can be configured, by all the names it has.
// Annotations are mapped to flags by package cni/podsettings.
type Setting struct {
	Flag    string // long flag name, and the key in a configuration file
	Short   string // "" if it has none
	Env     []string
	Default string // as it is written
	Accepts string // the accepted form
	Help    string
	// Bool settings may stand as a flag without a value.
	Bool bool
	// EmptyCounts: set to nothing is the empty list; for all others it means
	// that the setting is not given.
	EmptyCounts bool

	field
}

// Settings lists every setting of the policy in the order in which help,
// documentation and --print-config show them.
func Settings() []Setting {
	return slices.Concat(proxySettings(), captureSettings(), otherSettings())
}

func proxySettings() []Setting {
	return []Setting{
		{Flag: "envoy-port", Short: "p", Env: []string{"ENVOY_PORT"}, Default: "15001", Accepts: acceptedPort,
			Help: "port on which the proxy accepts captured outbound connections", field: port(func(c *Config) *iptables.Port { return &c.OutboundPort })},
		{Flag: "inbound-capture-port", Short: "z", Env: []string{"INBOUND_CAPTURE_PORT"}, Default: "15006", Accepts: acceptedPort,
			Help: "port on which the proxy accepts captured inbound connections", field: port(func(c *Config) *iptables.Port { return &c.InboundPort })},
		{Flag: "inbound-tunnel-port", Short: "e", Env: []string{"INBOUND_TUNNEL_PORT"}, Default: "15008", Accepts: acceptedPort,
			Help: "port of the proxy's tunnel (HBONE), never captured", field: port(func(c *Config) *iptables.Port { return &c.TunnelPort })},
		{Flag: "proxy-uid", Short: "u", Env: []string{"PROXY_UID"}, Default: "1337", Accepts: acceptedIDs + "; names where the tool runs in the pod",
			Help: "uids whose traffic is the proxy's own", field: ids(func(c *Config) *IDs { return &c.ProxyUIDs }, users)},
		{Flag: "proxy-gid", Short: "g", Env: []string{"PROXY_GID"}, Default: "the value of proxy-uid", Accepts: acceptedIDs + "; names where the tool runs in the pod",
			Help: "primary gids whose traffic is the proxy's own", field: ids(func(c *Config) *IDs { return &c.ProxyGIDs }, groups)},
		{Flag: "istio-inbound-interception-mode", Short: "m", Env: []string{"ISTIO_INBOUND_INTERCEPTION_MODE"}, Default: "REDIRECT", Accepts: acceptedMode,
			Help: "how inbound connections reach the proxy; NONE programs nothing", field: text(func(c *Config) *Mode { return &c.Mode })},
		{Flag: "istio-inbound-tproxy-mark", Short: "t", Env: []string{"ISTIO_INBOUND_TPROXY_MARK"}, Default: "1337", Accepts: acceptedMark,
			Help: "packet mark of inbound TPROXY traffic", field: text(func(c *Config) *Mark { return &c.TProxyMark })},
		{Flag: "istio-inbound-tproxy-route-table", Short: "r", Env: []string{"ISTIO_INBOUND_TPROXY_ROUTE_TABLE"}, Default: "133", Accepts: acceptedTable,
			Help: "routing table that delivers marked packets locally", field: text(func(c *Config) *RouteTable { return &c.TProxyTable })},
	}
}

func captureSettings() []Setting {
	return []Setting{
		{Flag: "istio-inbound-ports", Short: "b", Env: []string{"ISTIO_INBOUND_PORTS"}, EmptyCounts: true, Accepts: acceptedPorts + ", or *",
			Help: "inbound ports to capture; * for all", field: ports(func(d *draft) *Ports { return &d.inbound }, true)},
		{Flag: "istio-local-exclude-ports", Short: "d", Env: []string{"ISTIO_LOCAL_EXCLUDE_PORTS"}, EmptyCounts: true, Accepts: acceptedPorts,
			Help: "inbound ports to leave alone when all others are captured", field: ports(func(d *draft) *Ports { return &d.excludedInbound }, false)},
		{Flag: "istio-exclude-interfaces", Short: "c", Env: []string{"ISTIO_EXCLUDE_INTERFACES"}, EmptyCounts: true, Accepts: acceptedInterface,
			Help: "interfaces whose traffic is left alone, both ways", field: interfaces(func(c *Config) *[]Interface { return &c.ExcludeInterfaces })},
		{Flag: "istio-service-cidr", Short: "i", Env: []string{"ISTIO_SERVICE_CIDR"}, EmptyCounts: true, Accepts: acceptedCIDR + ", separated by commas; or *",
			Help: "outbound destinations to capture; * for all", field: cidrs(func(c *Config) *CIDRs { return &c.IncludeCIDRs }, true)},
		{Flag: "istio-service-exclude-cidr", Short: "x", Env: []string{"ISTIO_SERVICE_EXCLUDE_CIDR"}, EmptyCounts: true, Accepts: acceptedCIDR + ", separated by commas",
			Help: "outbound destinations to leave alone", field: cidrs(func(c *Config) *CIDRs { return &c.ExcludeCIDRs }, false)},
		{Flag: "istio-outbound-ports", Short: "q", Env: []string{"ISTIO_OUTBOUND_PORTS"}, EmptyCounts: true, Accepts: acceptedPorts + ", or *",
			Help: "outbound ports to capture whatever the destination", field: ports(func(d *draft) *Ports { return &d.config.IncludeOutboundPorts }, true)},
		{Flag: "istio-local-outbound-ports-exclude", Short: "o", Env: []string{"ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE"}, EmptyCounts: true, Accepts: acceptedPorts,
			Help: "outbound ports to leave alone", field: ports(func(d *draft) *Ports { return &d.config.ExcludeOutboundPorts }, false)},
		{Flag: "kube-virt-interfaces", Short: "k", Env: []string{"KUBE_VIRT_INTERFACES"}, EmptyCounts: true, Accepts: acceptedInterface,
			Help: "interfaces of virtual machines in the pod, whose traffic is outbound", field: virtualInterfaces()},
		{Flag: "exclude-outbound-ports-for-uids", Env: []string{"EXCLUDE_OUTBOUND_PORTS_FOR_UIDS", "SLUICE_EXCLUDE_OUTBOUND_PORTS_FOR_UIDS"}, Accepts: acceptedExclusion,
			Help: "outbound ports to leave alone for some uids", field: uidExclusions()},
		{Flag: "exclude-inbound-cidrs", Env: []string{"EXCLUDE_INBOUND_CIDRS", "SLUICE_EXCLUDE_INBOUND_CIDRS"}, Accepts: acceptedCIDR + ", separated by commas",
			Help: "sources whose inbound connections are left alone", field: cidrs(func(c *Config) *CIDRs { return &c.ExcludeInboundCIDRs }, false)},
		{Flag: "owner-groups", Env: []string{"ISTIO_OUTBOUND_OWNER_GROUPS"}, Default: "*", Accepts: acceptedIDs + ", * for everybody, none for nobody",
			Help: "groups whose outbound connections are captured", field: ownerGroups()},
		{Flag: "owner-groups-exclude", Env: []string{"ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE"}, Accepts: acceptedIDs,
			Help: "groups whose outbound connections are left alone", field: ids(func(c *Config) *IDs { return &c.ExcludeOwnerGroups }, groups)},
	}
}

func otherSettings() []Setting {
	return []Setting{
		{Flag: "redirect-dns", Env: []string{"REDIRECT_DNS", "ISTIO_META_DNS_CAPTURE"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "capture DNS queries to the pod's resolvers", field: boolean(func(d *draft) *bool { return &d.redirectDNS })},
		{Flag: "capture-all-dns", Env: []string{"CAPTURE_ALL_DNS"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "with redirect-dns: capture queries to any server", field: boolean(func(d *draft) *bool { return &d.captureAllDNS })},
		{Flag: "dns-servers", Env: []string{"SLUICE_DNS_SERVERS"}, Accepts: acceptedResolver + ", separated by commas",
			Help: "resolvers whose queries are captured, instead of resolv.conf's", field: dnsServers()},
		{Flag: "resolv-conf", Env: []string{"SLUICE_RESOLV_CONF"}, Default: "/etc/resolv.conf when applying", Accepts: "a path",
			Help: "file that lists the pod's resolvers", field: field{read: readResolvConf}},
		{Flag: "drop-invalid", Env: []string{"DROP_INVALID", "INVALID_DROP"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "drop packets that belong to no connection", field: boolean(func(d *draft) *bool { return &d.config.DropInvalid })},
		{Flag: "loopback-cidr", Env: []string{"ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR"}, Default: "127.0.0.1/32", Accepts: acceptedLoopback,
			Help: "IPv4 range that counts as the application talking to itself", field: text(func(c *Config) *Loopback { return &c.Loopback })},
		{Flag: "ip-families", Env: []string{"SLUICE_IP_FAMILIES"}, Default: "auto", Accepts: acceptedFamilies,
			Help: "families to program; auto: IPv4, and IPv6 where it is enabled", field: text(func(c *Config) *FamilyChoice { return &c.Families })},
		{Flag: "dual-stack", Env: []string{"DUAL_STACK", "ISTIO_DUAL_STACK"}, Bool: true, Default: "auto", Accepts: acceptedBool,
			Help: "accepted for compatibility; false does not switch IPv6 off", field: field{read: readDualStack}},
		{Flag: "backend", Env: []string{"SLUICE_BACKEND"}, Default: "auto", Accepts: acceptedBackend,
			Help: "how rules reach the kernel", field: text(func(c *Config) *Backend { return &c.Backend })},
		{Flag: "native-nftables", Env: []string{"NATIVE_NFTABLES"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "the same as backend nftables", field: field{read: readNativeNftables}},
		{Flag: "force-iptables-binary", Env: []string{"FORCE_IPTABLES_BINARY"}, Accepts: "legacy or nft, or a binary's name",
			Help: "the same as backend iptables-legacy or iptables-nft", field: field{read: readForcedBinary}},
		{Flag: "counters", Env: []string{"SLUICE_COUNTERS"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "let nf_tables rules count packets; iptables rules always do", field: boolean(func(d *draft) *bool { return &d.config.Counters })},
		{Flag: "rule-comments", Env: []string{"SLUICE_RULE_COMMENTS"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "put the setting that made a rule into the rule's comment", field: boolean(func(d *draft) *bool { return &d.config.Comments })},
		{Flag: "log-rules", Env: []string{"SLUICE_LOG_RULES"}, Bool: true, Default: "false", Accepts: acceptedBool,
			Help: "log every capture to the kernel log, for debugging", field: boolean(func(d *draft) *bool { return &d.config.LogRules })},
	}
}
