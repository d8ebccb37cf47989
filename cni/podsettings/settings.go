package podsettings

import (
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// source says where a setting may stand in a pod: in the first annotation that
// exists, else in the proxy's environment, else in the proxy config annotation.
type source struct {
	flag        string
	annotations []string
	env         string
	config      string // key of the proxy config annotation
	fallback    string // the value when nothing is stated, if pods have their own
	list        bool   // present but empty is the empty list, not "not given"
}

const (
	traffic = "traffic.sidecar.istio.io/"
	own     = "sluice.sluicemesh.io/"

	rerouteInterfaces = "istio.io/reroute-virtual-interfaces"

	modeFlag       = "istio-inbound-interception-mode"
	excludeInbound = "istio-local-exclude-ports"
	redirectDNS    = "redirect-dns"
)

// statusPorts are the proxy's own health and metrics ports: probes and scrapes
// must reach them whatever the pod says.
func statusPorts() []string { return []string{"15020", "15021", "15090"} }

func modeSource() source {
	return source{flag: modeFlag, annotations: []string{"sidecar.istio.io/interceptionMode"}, config: interceptionMode, fallback: "REDIRECT"}
}

// sources is the whole reading of a pod, in the order of the settings it gives.
func sources() []source {
	return []source{
		modeSource(),
		{flag: "istio-service-cidr", annotations: []string{traffic + "includeOutboundIPRanges"}, fallback: "*", list: true},
		{flag: "istio-service-exclude-cidr", annotations: []string{traffic + "excludeOutboundIPRanges"}, list: true},
		{flag: "istio-outbound-ports", annotations: []string{traffic + "includeOutboundPorts"}, list: true},
		{flag: "istio-local-outbound-ports-exclude", annotations: []string{traffic + "excludeOutboundPorts"}, list: true},
		{flag: "istio-inbound-ports", annotations: []string{traffic + "includeInboundPorts"}, fallback: "*", list: true},
		{flag: excludeInbound, annotations: []string{traffic + "excludeInboundPorts"}, fallback: strings.Join(statusPorts(), ","), list: true},
		{flag: "istio-exclude-interfaces", annotations: []string{traffic + "excludeInterfaces"}, list: true},
		{flag: "kube-virt-interfaces", annotations: []string{rerouteInterfaces, traffic + "kubevirtInterfaces"}, list: true},
		{flag: "exclude-outbound-ports-for-uids", annotations: []string{own + "excludeOutboundPortsForUIDs"}, list: true},
		{flag: "ip-families", annotations: []string{own + "ip-families"}, env: "SLUICE_IP_FAMILIES"},
		{flag: redirectDNS, env: "ISTIO_META_DNS_CAPTURE"},
		{flag: "dual-stack", env: "ISTIO_DUAL_STACK"},
		{flag: "drop-invalid", env: "INVALID_DROP"},
		{flag: "owner-groups", env: "ISTIO_OUTBOUND_OWNER_GROUPS"},
		{flag: "owner-groups-exclude", env: "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE"},
		{flag: "loopback-cidr", env: "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR"},
		{flag: "backend", env: "SLUICE_BACKEND"},
		{flag: "native-nftables", env: "NATIVE_NFTABLES"},
		{flag: "force-iptables-binary", env: "FORCE_IPTABLES_BINARY"},
	}
}

// Of are the flags that the pod's annotations, its proxy's environment and its
// security contexts amount to, one per flag. Every value that cannot be read
// at all is a *builder.Problem, all of them together; whether the values make
// sense is for the builder's parser to say.
func Of(p podapi.Pod) ([]builder.Input, []error) {
	var out []builder.Input
	var problems []error
	config, err := readProxyConfig(p)
	if err != nil {
		problems = append(problems, err)
	}
	for _, s := range sources() {
		set, err := read(p, s, config)
		if err != nil {
			problems = append(problems, err)
		} else if set.Flag != "" {
			out = append(out, complete(set)...)
		}
	}
	for _, id := range identities() {
		set, err := id.proxy(p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		out = append(out, set)
	}
	if v, _ := proxyEnv(p, disableEnvoy); v.ValueFrom {
		problems = append(problems, fromElsewhere(disableEnvoy))
	}
	return out, problems
}

// read finds one setting; it has no flag when the pod does not state it.
func read(p podapi.Pod, s source, config proxyConfig) (builder.Input, error) {
	for _, name := range s.annotations {
		v, ok := p.Annotations[name]
		if ok && (s.list || strings.TrimSpace(v) != "") {
			return builder.Input{Flag: s.flag, Value: v, Origin: "annotation " + name}, nil
		}
	}
	if set, err := readEnv(p, s, config); set.Flag != "" || err != nil {
		return set, err
	}
	if v := config.values[s.config]; v != "" {
		return builder.Input{Flag: s.flag, Value: v, Origin: "annotation " + proxyConfigKey + ", " + s.config}, nil
	}
	if s.fallback != "" {
		return builder.Input{Flag: s.flag, Value: s.fallback, Origin: "default for pods"}, nil
	}
	return builder.Input{}, nil
}

// readEnv looks at the proxy's environment, and where it lacks the variable at
// the metadata from which the injector makes that environment.
func readEnv(p podapi.Pod, s source, config proxyConfig) (builder.Input, error) {
	if s.env == "" {
		return builder.Input{}, nil
	}
	v, ok := proxyEnv(p, s.env)
	switch {
	case v.ValueFrom:
		return builder.Input{}, fromElsewhere(s.env)
	case v.Value != "":
		return builder.Input{Flag: s.flag, Value: v.Value, Origin: "env " + s.env + " of " + podapi.ProxyName}, nil
	case !ok && config.metadata[s.env] != "":
		return builder.Input{Flag: s.flag, Value: config.metadata[s.env], Origin: "annotation " + proxyConfigKey + ", proxyMetadata." + s.env}, nil
	}
	return builder.Input{}, nil
}

// complete adds what a pod's setting always brings along.
func complete(s builder.Input) []builder.Input {
	switch {
	case s.Flag == excludeInbound:
		s.Value = withStatusPorts(s.Value)
	case s.Flag == redirectDNS && on(s.Value):
		// The pod's resolv.conf does not exist yet when its network is made.
		return []builder.Input{s, {Flag: "capture-all-dns", Value: "true", Origin: s.Origin}}
	}
	return []builder.Input{s}
}

// withStatusPorts adds the proxy's own ports to a list, in the order in which
// they come first. A wildcard stays alone: it is refused, in the words for what
// its author wrote.
func withStatusPorts(list string) string {
	switch items, only := stated(list); {
	case only:
		items = slices.DeleteFunc(append(items, statusPorts()...), repeated())
		return strings.Join(items, ",")
	case strings.TrimSpace(list) == "*":
		return list
	}
	return strings.TrimSpace(list) + "," + strings.Join(statusPorts(), ",")
}

// stated are the items of a list of ports; only says that none is another than
// the proxy's own.
func stated(list string) (items []string, only bool) {
	only = true
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
			only = only && slices.Contains(statusPorts(), item)
		}
	}
	return items, only
}

// repeated tells of each string whether it was there before.
func repeated() func(string) bool {
	seen := map[string]bool{}
	return func(s string) bool {
		before := seen[s]
		seen[s] = true
		return before
	}
}

// Remarks are the parser's warnings about what it was given of a pod, without
// those about ports that every pod leaves out: neither is it the pod's wish,
// nor, where the mesh's injector states them, anybody's to correct.
func Remarks(inputs []builder.Input, warnings []builder.Warning) []Warning {
	added := slices.ContainsFunc(inputs, func(in builder.Input) bool {
		_, only := stated(in.Value)
		return in.Flag == excludeInbound && only
	})
	var out []Warning
	for _, w := range warnings {
		if !added || w.Flag != excludeInbound {
			out = append(out, Warning{SettingRemark, w.String()})
		}
	}
	return out
}

func fromElsewhere(env string) error {
	return &builder.Problem{
		Flag:     env,
		Origin:   "env " + env + " of " + podapi.ProxyName,
		Value:    "valueFrom",
		Reason:   "the value stands outside the pod and cannot be read before the pod runs",
		Accepted: "a literal value",
	}
}

// on reads a boolean as the builder's parser and the mesh do; what is none is
// not true.
func on(v string) bool {
	b, _ := builder.ParseBool(v) // false, if it is none
	return b
}
