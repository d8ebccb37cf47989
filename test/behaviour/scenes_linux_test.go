package behaviour

import (
	"fmt"
	"maps"
	"strings"

	"github.com/sluicemesh/sluice/test/rig"
)

// with adds settings to others.
func with(base map[string]string, pairs ...string) map[string]string {
	out := maps.Clone(base)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// classic are the settings that the mesh's injector gives to every pod.
func classic() map[string]string {
	return map[string]string{
		"istio-service-cidr": "*", "istio-inbound-ports": "*", "istio-local-exclude-ports": "15090,15021,15020",
	}
}

const (
	mode       = "istio-inbound-interception-mode"
	dns        = "redirect-dns"
	allDNS     = "capture-all-dns"
	notOut     = "istio-local-outbound-ports-exclude"
	notCIDR    = "istio-service-exclude-cidr"
	onlyCIDR   = "istio-service-cidr"
	onlyOut    = "istio-outbound-ports"
	onlyIn     = "istio-inbound-ports"
	notIface   = "istio-exclude-interfaces"
	virtual    = "kube-virt-interfaces"
	firstOf    = "198.51.100.1/32,2001:db8:2::1/128"
	worldCIDRs = "192.0.2.1/32,2001:db8:1::1/128"
)

func scenes() []scene {
	return []scene{
		{name: "redirect", settings: classic(), probes: append(outbound(), append(selfCalls(), inbound()...)...)},
		{name: "tproxy", settings: with(classic(), mode, "TPROXY"), probes: append(outbound(), append(selfCalls(), inbound()...)...)},
		{name: "several proxies", settings: with(classic(), "proxy-uid", "1337,2000-2001", "proxy-gid", "1337,3000"), probes: severalProxies()},
		{name: "several proxies tproxy", settings: with(classic(), mode, "TPROXY", "proxy-uid", "1337,2000-2001", "proxy-gid", "1337,3000"), probes: severalProxies()},
		{name: "outbound exclusions", settings: with(classic(), notOut, "9090", notCIDR, firstOf), probes: []probe{
			{says: "an excluded CIDR is left alone", from: app, to: service, port: 80, want: "world"},
			{says: "its neighbour is captured", from: app, to: service2, port: 80, want: "Out"},
			{says: "an excluded port is left alone", from: app, to: service2, port: 9090, want: "world"},
			{says: "an excluded port is left alone in a self-call", from: proxy, to: itself, port: 9090, want: "app"},
		}},
		{name: "outbound inclusions", settings: with(classic(), onlyCIDR, firstOf, onlyOut, "9090"), probes: []probe{
			{says: "an included CIDR is captured", from: app, to: service, port: 80, want: "Out"},
			{says: "others are left alone", from: app, to: service2, port: 80, want: "world"},
			{says: "an included port is captured whatever its address", from: app, to: service2, port: 9090, want: "Out"},
			{says: "the proxy is not captured", from: proxy, to: service, port: 80, want: "world"},
		}},
		{name: "inbound list", settings: with(classic(), onlyIn, "8080,9000-9100"), probes: inboundList()},
		{name: "inbound list tproxy", settings: with(classic(), onlyIn, "8080,9000-9100", mode, "TPROXY"), probes: inboundList()},
		{name: "inbound empty", settings: with(classic(), onlyIn, ""), probes: []probe{
			{says: "nothing is captured", from: outsider, to: itself, port: 8080, want: "app"},
			{says: "a self-call still reaches In", from: proxy, to: itself, port: 8080, want: "In"},
		}},
		{name: "inbound empty tproxy", settings: with(classic(), onlyIn, "", mode, "TPROXY"), probes: []probe{
			{says: "nothing is captured", from: outsider, to: itself, port: 8080, want: "app"},
			{says: "a self-call is left alone", from: gidProxy, to: itself, port: 8080, want: "app"},
		}},
		{name: "inbound sources excluded", settings: with(classic(), "exclude-inbound-cidrs", worldCIDRs), probes: []probe{
			{says: "an excluded source is left alone", from: outsider, to: itself, port: 8080, want: "app"},
			{says: "a self-call is not", from: proxy, to: itself, port: 8080, want: "In"},
		}},
		{name: "inbound sources excluded tproxy", settings: with(classic(), "exclude-inbound-cidrs", worldCIDRs, mode, "TPROXY"), probes: []probe{
			{says: "an excluded source is left alone", from: outsider, to: itself, port: 8080, want: "app"},
			{says: "a self-call is not", from: gidProxy, to: itself, port: 8080, want: "In"},
		}},
		{name: "owner groups", settings: with(classic(), "owner-groups", "1000,2000-2005"), probes: []probe{
			{says: "a listed group is captured", from: app, to: service, port: 80, want: "Out"},
			{says: "one in a listed range is captured", from: uid(0, 2003), to: service, port: 80, want: "Out"},
			{says: "any other is left alone", from: root, to: service, port: 80, want: "world"},
		}},
		{name: "owner groups excluded", settings: with(classic(), "owner-groups-exclude", "1000"), probes: []probe{
			{says: "an excluded group is left alone", from: app, to: service, port: 80, want: "world"},
			{says: "any other is captured", from: root, to: service, port: 80, want: "Out"},
		}},
		{name: "ports for uids", settings: with(classic(), "exclude-outbound-ports-for-uids", "tcp:80:1000;udp:53:0", dns, "true", allDNS, "true"), probes: []probe{
			{says: "the uid's port is left alone", from: app, to: service, port: 80, want: "world"},
			{says: "its other ports are captured", from: app, to: service, port: 8080, want: "Out"},
			{says: "other uids are captured", from: root, to: service, port: 80, want: "Out"},
			{says: "its queries are left alone", from: root, to: service, port: 53, udp: true, want: "world"},
			{says: "its queries over TCP are captured", from: root, to: service, port: 53, want: "DNS"},
			{says: "others' queries are captured", from: app, to: service, port: 53, udp: true, want: "DNS"},
		}},
		{name: "loopback included", settings: with(classic(), onlyCIDR, "127.0.0.0/8,::1/128,198.51.100.0/24,2001:db8:2::/64"), probes: []probe{
			{says: "the loopback address itself is left alone", from: app, to: loopback, port: 8080, want: "app"},
			{says: "services are captured", from: app, to: service, port: 80, want: "Out"},
			{says: "the pod's own address is not listed", from: app, to: itself, port: 8080, want: "app"},
		}},
		{name: "dns all", settings: with(classic(), dns, "true", allDNS, "true"), probes: queries("DNS")},
		{name: "dns all tproxy", settings: with(classic(), dns, "true", allDNS, "true", mode, "TPROXY"), probes: queries("DNS")},
		{name: "dns some", settings: with(classic(), dns, "true", "dns-servers", "198.51.100.1,2001:db8:2::1"), probes: append(queries("DNS"), []probe{
			{says: "another server's query over TCP is an ordinary connection", from: app, to: service2, port: 53, want: "Out"},
			{says: "another server's datagram is left alone", from: app, to: service2, port: 53, udp: true, want: "world"},
		}...)},
		{name: "dns with port 53 excluded", settings: with(classic(), dns, "true", allDNS, "true", notOut, "53"), probes: []probe{
			{says: "datagrams are left alone", from: app, to: service, port: 53, udp: true, want: "world"},
			{says: "connections are left alone", from: app, to: service, port: 53, want: "world"},
		}},
		{name: "interfaces", settings: with(classic(), notIface, "net1"), rig: []rig.Option{rig.WithInterface("net1")}, probes: interfaces()},
		{name: "interfaces tproxy", settings: with(classic(), notIface, "net+", mode, "TPROXY"), rig: []rig.Option{rig.WithInterface("net1")}, probes: interfaces()},
		{name: "virtual machine", settings: with(classic(), virtual, "net1", notOut, "9090"), rig: []rig.Option{rig.WithInterface("net1")}, probes: virtualMachine()},
		{name: "virtual machine tproxy", settings: with(classic(), virtual, "net1", notOut, "9090", mode, "TPROXY"), rig: []rig.Option{rig.WithInterface("net1")}, probes: virtualMachine()},
		{name: "drop invalid, comments, logs", settings: with(classic(), "drop-invalid", "true", "rule-comments", "true", "log-rules", "true"), probes: append(outbound(), inbound()...)},
		{name: "many ports", settings: with(classic(), notOut, "1000,1002,1004,1006,1008,1010,1012,1014,1016,1018,1020,1022,1024,1026,1028-1030,8000-8100,9090"), probes: []probe{
			{says: "a port of the last pack is left alone", from: app, to: service, port: 9090, want: "world"},
			{says: "a port in a range is left alone", from: app, to: service, port: 8080, want: "world"},
			{says: "others are captured", from: app, to: service, port: 80, want: "Out"},
		}},
		{name: "many single ports excluded", settings: with(classic(), notOut, "9090,"+manyPorts(1000)), probes: []probe{
			{says: "one of them is left alone", from: app, to: service, port: 9090, want: "world"},
			{says: "its neighbour is captured", from: app, to: service, port: 80, want: "Out"},
			{says: "the proxy is left alone", from: proxy, to: service, port: 80, want: "world"},
		}},
		{name: "many single ports included", settings: with(classic(), onlyCIDR, "", onlyOut, "9090,"+manyPorts(1000)), probes: []probe{
			{says: "one of them is captured", from: app, to: service, port: 9090, want: "Out"},
			{says: "its neighbour is left alone", from: app, to: service, port: 80, want: "world"},
		}},
		{name: "many CIDRs excluded", settings: with(classic(), notCIDR, manyCIDRs(500)+","+firstOf), probes: []probe{
			{says: "the last one is left alone", from: app, to: service, port: 80, want: "world"},
			{says: "its neighbour is captured", from: app, to: service2, port: 80, want: "Out"},
		}},
		{name: "many CIDRs included", settings: with(classic(), onlyCIDR, manyCIDRs(500)+","+firstOf), probes: []probe{
			{says: "the last one is captured", from: app, to: service, port: 80, want: "Out"},
			{says: "its neighbour is left alone", from: app, to: service2, port: 80, want: "world"},
		}},
	}
}

// manyCIDRs is n ranges of each family in which nobody listens, too many for one rule each.
func manyCIDRs(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("198.19.%d.%d/32,2001:db8:f:%x::/64", i>>7, i<<1&0xff, i<<1))
	}
	return strings.Join(list, ",")
}

// manyPorts is n ports on which nobody listens, no two of them neighbours.
func manyPorts(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(20001+2*i))
	}
	return strings.Join(list, ",")
}

func outbound() []probe {
	return []probe{
		{says: "an application's connection goes to Out", from: app, to: service, port: 80, want: "Out"},
		{says: "root's connection goes to Out", from: root, to: service, port: 8080, want: "Out"},
		{says: "the proxy by uid is left alone", from: uid(1337, 0), to: service, port: 80, want: "world"},
		{says: "the proxy by gid is left alone", from: gidProxy, to: service, port: 80, want: "world"},
		{says: "datagrams are left alone", from: app, to: service, port: 53, udp: true, want: "world"},
		{says: "the application talks to itself by loopback", from: app, to: loopback, port: 8080, want: "app"},
		{says: "the application talks to itself by its address", from: app, to: itself, port: 8080, want: "app"},
		{says: "the proxy reaches the application by loopback", from: proxy, to: loopback, port: 8080, want: "app"},
	}
}

func selfCalls() []probe {
	return []probe{
		{says: "a self-call by uid reaches In", from: uid(1337, 0), to: itself, port: 8080, want: "In"},
		{says: "a self-call by gid only reaches In", from: gidProxy, to: itself, port: 8080, want: "In"},
		{says: "a self-call to the tunnel does not", from: proxy, to: itself, port: 15008, want: "app"},
	}
}

func inbound() []probe {
	return []probe{
		{says: "an outsider's connection goes to In", from: outsider, to: itself, port: 8080, want: "In"},
		{says: "a port without a server goes to In too", from: outsider, to: itself, port: 7777, want: "In"},
		{says: "the tunnel is left alone", from: outsider, to: itself, port: 15008, want: "app"},
		{says: "an excluded port is left alone", from: outsider, to: itself, port: 15020, want: "app"},
		{says: "another excluded port is left alone", from: outsider, to: itself, port: 15090, want: "app"},
		{says: "a datagram is left alone", from: outsider, to: itself, port: 8080, udp: true, want: "app"},
	}
}

func inboundList() []probe {
	return []probe{
		{says: "a listed port goes to In", from: outsider, to: itself, port: 8080, want: "In"},
		{says: "a port in a listed range goes to In", from: outsider, to: itself, port: 9090, want: "In"},
		{says: "others are left alone", from: outsider, to: itself, port: 80, want: "app"},
		{says: "the tunnel is left alone", from: outsider, to: itself, port: 15008, want: "app"},
	}
}

// severalProxies: every uid and gid is treated like the first.
func severalProxies() []probe {
	var list []probe
	for _, who := range []user{uid(1337, 0), uid(2000, 0), uid(2001, 0), uid(0, 1337), uid(0, 3000)} {
		name := who.String()
		list = append(list,
			probe{says: name + " is left alone", from: who, to: service, port: 80, want: "world"},
			probe{says: name + " calling itself reaches In", from: who, to: itself, port: 8080, want: "In"},
			probe{says: name + " reaches the application", from: who, to: loopback, port: 8080, want: "app"},
		)
	}
	return append(list, probe{says: "another uid is captured", from: uid(2002, 0), to: service, port: 80, want: "Out"})
}

func queries(agent string) []probe {
	return []probe{
		{says: "an application's query goes to the agent", from: app, to: service, port: 53, udp: true, want: agent},
		{says: "its query over TCP goes to the agent", from: app, to: service, port: 53, want: agent},
		{says: "the agent's own query goes out", from: proxy, to: service, port: 53, udp: true, want: "world"},
		{says: "its own query over TCP goes out", from: proxy, to: service, port: 53, want: "world"},
		{says: "a gid-only agent's query goes out", from: gidProxy, to: service, port: 53, udp: true, want: "world"},
		{says: "other connections are captured", from: app, to: service, port: 80, want: "Out"},
		{says: "other datagrams are left alone", from: app, to: service, port: 8080, udp: true, want: "world"},
		{says: "the agent reaches a resolver in its own pod", from: proxy, to: itself, port: 53, want: "app"},
	}
}

func interfaces() []probe {
	return []probe{
		{says: "what leaves by an excluded interface is left alone", from: app, to: netWorld, port: 80, want: "world"},
		{says: "what enters by one is left alone", from: outsiderNet, to: netPod, port: 8080, want: "app"},
		{says: "other interfaces are captured, out", from: app, to: service, port: 80, want: "Out"},
		{says: "other interfaces are captured, in", from: outsider, to: itself, port: 8080, want: "In"},
	}
}

func virtualMachine() []probe {
	return []probe{
		{says: "what a virtual machine opens goes to Out", from: outsiderNet, to: netPod, port: 8080, want: "Out"},
		{says: "an excluded port of it is left alone", from: outsiderNet, to: netPod, port: 9090, want: "app"},
		{says: "the tunnel port has no meaning for it", from: outsiderNet, to: netPod, port: 15008, want: "Out"},
		{says: "ordinary inbound goes to In", from: outsider, to: itself, port: 8080, want: "In"},
	}
}
