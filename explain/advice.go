package explain

import (
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/iptables"
)

// advice says for a setting what to change when it decided. {addr}, {port},
// {uid} and {gid} stand for the connection's, {own} for the setting with its
// names.
func advice() map[string]string {
	return map[string]string{
		"istio-exclude-interfaces":           "To have it captured, take its interface out of {own}.",
		"inbound-tunnel-port":                "Port {port} is the proxy's tunnel, which is never captured; {own} moves it.",
		"istio-local-exclude-ports":          "To have it captured, take port {port} out of {own}.",
		"exclude-inbound-cidrs":              "To have it captured, take the range of its source out of {own}.",
		"istio-inbound-ports":                "To leave it alone, add port {port} to {istio-local-exclude-ports}, or list other ports in {own}.",
		"kube-virt-interfaces":               "It counts as outbound traffic of a virtual machine because its interface is in {own}.",
		"the proxy's own source address":     "This is the proxy handing a request to the application; nothing needs to change.",
		"istio-inbound-tproxy-mark":          "Its mark says that the proxy sent it; nothing needs to change.",
		"istio-local-outbound-ports-exclude": "To have it captured, take port {port} out of {own}.",
		"exclude-outbound-ports-for-uids":    "To have it captured, take port {port} and uid {uid} out of {own}.",
		"owner-groups":                       "To have it captured, add gid {gid} to {own}.",
		"owner-groups-exclude":               "To have it captured, take gid {gid} out of {own}.",
		"redirect-dns":                       "To leave DNS queries alone, switch {own} off.",
		"the application talking to itself":  "Connections within the pod are left alone; naming a loopback range in {istio-service-cidr} captures them.",
		"loopback-cidr":                      "Connections to {addr} count as the application talking to itself, by {own}.",
		"istio-service-exclude-cidr":         "To have it captured, take the range that holds {addr} out of {own}.",
		"istio-outbound-ports":               "To leave it alone, take port {port} out of {own}, or add it to {istio-local-outbound-ports-exclude}.",
		"istio-service-cidr":                 "To leave it alone, add {addr} to {istio-service-exclude-cidr}, or port {port} to {istio-local-outbound-ports-exclude}.",
		"drop-invalid":                       "To let it pass, switch {own} off.",
	}
}

// change says what to do if the outcome was not wanted.
func (w account) change(way Way) string {
	text := ""
	switch {
	case way.Setting == "proxy-uid", way.Setting == "proxy-gid":
		text = w.proxyAdvice(way)
	case way.Setting != "":
		text = advice()[way.Setting]
	case w.out.Fate == iptables.Passed && way.Deciding < 0:
		text = w.included()
	case way.Deciding >= 0 && w.out.Fate != iptables.Unknown:
		text = "The rule is not sluice's: change it where it comes from."
	}
	return w.fill(text, way.Setting)
}

func (w account) proxyAdvice(way Way) string {
	if way.Fate != Direct {
		return "A proxy calling its own pod goes through its inbound side; only another {own} changes that."
	}
	if w.start.question.Who == Proxy {
		return "The proxy's own traffic is never captured; nothing needs to change."
	}
	return "It counts as the proxy's own traffic, which is never captured: run it as another user and group, or change {own}."
}

// included is the advice when no rule captured the connection.
func (w account) included() string {
	p := w.start.packet
	c := w.subject.Config
	switch {
	case c != nil && c.Mode == builder.NoneMode:
		return "{istio-inbound-interception-mode} is NONE, which programs nothing."
	case p.Protocol != iptables.ProtoTCP:
		return "Only TCP is captured, and DNS if {redirect-dns} is on."
	case w.start.path == iptables.Arriving:
		return "To have it captured, add port {port} to {istio-inbound-ports}."
	}
	return "To have it captured, add {addr} to {istio-service-cidr}, or port {port} to {istio-outbound-ports}."
}

// fill replaces the names in braces.
func (w account) fill(text, setting string) string {
	p := w.start.packet
	pairs := []string{"{addr}", p.Dst.String(), "{port}", strconv.Itoa(int(p.DstPort)), "{own}", w.spell(setting)}
	if p.Owner != nil {
		pairs = append(pairs, "{uid}", strconv.FormatUint(uint64(p.Owner.UID), 10), "{gid}", strconv.FormatUint(uint64(p.Owner.GID), 10))
	}
	for _, s := range builder.Settings() {
		if strings.Contains(text, "{"+s.Flag+"}") {
			pairs = append(pairs, "{"+s.Flag+"}", w.spell(s.Flag))
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// spell is a setting with the names by which people know it.
func (w account) spell(flag string) string {
	var names []string
	for _, s := range builder.Settings() {
		if s.Flag == flag && s.Short != "" {
			names = append(names, "-"+s.Short)
		}
	}
	if w.subject.Annotation != nil {
		if a := w.subject.Annotation(flag); a != "" {
			names = append(names, "annotation "+a)
		}
	}
	if len(names) == 0 {
		return flag
	}
	return flag + " (" + strings.Join(names, ", ") + ")"
}
