package builder

import (
	"fmt"
	"strconv"

	"github.com/sluicemesh/sluice/iptables"
)

// complete derives what depends on several settings, refuses contradictions
// that no order of the policy resolves, and warns of those that it does.
func (p *parser) complete() {
	p.proxyOwners()
	p.inboundPorts()
	p.dns()
	p.portsCollide()
	p.beware()
}

// proxyOwners: a list without items is not given.
func (p *parser) proxyOwners() {
	d := &p.draft
	if len(d.config.ProxyUIDs) == 0 {
		d.config.ProxyUIDs = Default().ProxyUIDs
		delete(d.origins, whyProxyUID)
	}
	if _, given := d.origins[whyProxyGID]; !given || len(d.config.ProxyGIDs) == 0 {
		d.config.ProxyGIDs = d.config.ProxyUIDs
		d.origins[whyProxyGID] = Input{Origin: asProxyUID}
	}
}

func (p *parser) inboundPorts() {
	d := &p.draft
	if d.inbound.All {
		d.config.Inbound = InboundPorts{Except: true, Ports: d.excludedInbound}
		return
	}
	d.config.Inbound = InboundPorts{Ports: d.inbound}
	if !d.excludedInbound.Empty() && !d.inbound.Empty() {
		p.warn(p.origin(whyExcludePorts), "has no meaning beside a list of inbound ports: only "+d.inbound.String()+" is captured")
	}
	if d.inbound.Contains(d.config.TunnelPort) {
		p.warn(p.origin(whyInboundPorts), fmt.Sprintf("port %d is the tunnel's and is left alone all the same", d.config.TunnelPort))
	}
}

func (p *parser) dns() {
	d := &p.draft
	switch {
	case !d.redirectDNS:
		if d.captureAllDNS {
			p.warn(p.origin("capture-all-dns"), "has no effect without redirect-dns")
		}
		return
	case d.captureAllDNS:
		d.config.DNS = DNS{All: true}
	case len(d.servers) > 0:
		d.config.DNS = DNS{Servers: d.servers}
	default:
		d.config.DNS = DNS{Servers: p.resolvConf()}
	}
	if d.config.ExcludeOutboundPorts.Contains(dnsPort) {
		p.warn(p.origin(whyNotOutPorts), "port 53 is excluded, so no DNS query is captured")
	}
}

// resolvConf reads the resolvers from the file that a setting or the caller names.
func (p *parser) resolvConf() []Resolver {
	d := &p.draft
	in := p.origin("resolv-conf")
	path := d.resolvConf
	if path == "" {
		path = d.opts.ResolvConf
	}
	if path == "" || d.opts.ReadFile == nil {
		p.refuse(p.origin(whyDNS), "which resolvers to capture is not known here", "with --capture-all-dns, --dns-servers or --resolv-conf")
		return nil
	}
	text, err := d.opts.ReadFile(path)
	if err != nil {
		p.refuse(Input{"resolv-conf", path, in.Origin}, err.Error(), "a readable resolv.conf, or --dns-servers")
		return nil
	}
	servers, notes, err := parseResolvConf(text)
	for _, n := range notes {
		p.warn(in, path+": "+n)
	}
	if err != nil {
		p.refuse(Input{"resolv-conf", path, in.Origin}, "no usable nameserver line", "at least one line: nameserver ADDRESS")
	}
	return servers
}

// portsCollide refuses two listeners of the proxy on one port.
func (p *parser) portsCollide() {
	c := p.draft.config
	collide := func(flag string, a, b iptables.Port, other string) {
		if a == b && a != 0 { // 0: refused already
			in := p.origin(flag)
			in.Value = strconv.Itoa(int(a))
			p.refuse(in, "is also "+other, "different ports")
		}
	}
	collide(whyInPort, c.InboundPort, c.OutboundPort, "the proxy's outbound port (envoy-port)")
	if c.DNS.On() {
		collide(whyInPort, c.InboundPort, c.DNSPort, "the agent's DNS port")
		collide(whyOutPort, c.OutboundPort, c.DNSPort, "the agent's DNS port")
	}
}
