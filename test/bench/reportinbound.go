package main

import (
	"fmt"
	"strings"
)

const aboutInbound = `
## TPROXY and conntrack

A connection from outside with a question and an answer of 128 bytes, over a veth pair, through the rules of iptables-nft.

| inbound | a connection | ÷ no rules |
|---|---|---|
`

// whyTracked is what follows from the table, and from the kernel's code.
const whyTracked = `
In TPROXY mode, what opens a connection goes to the listener, and everything later is told by the socket that is there (` + "`-m socket --transparent`" + `).
That costs what asking conntrack costs, and is right where conntrack is not; each has a test in ` + "`test/behaviour`" + `:

- A client that uses the port of a connection again which the proxy has reset is ESTABLISHED to conntrack from its first packet on, for ten seconds. By the state
  it would go to the application, around the proxy.
- Under SYN cookies there is no socket yet when the client's second packet comes. The connection's mark says that TPROXY had the first.
- A connection from before the rules has a socket that is not transparent. It lives on, also if conntrack did not know it.

TPROXY alone, where nothing else is captured and conntrack is off, costs next to nothing. A pod's outbound REDIRECT keeps conntrack on. Keeping just the captured packets
out of it (` + "`CT --notrack`" + ` in raw) would save about half of what the tracking costs, and is not done:

- A firewall in the pod, or on a virtual machine, that lets new and established connections in would no longer know them. That has a test too.
- The answers would have to be kept out by the socket that sends them, since any port may be captured: in OUTPUT only nf_tables can ask for it
  (` + "`net/netfilter/nft_socket.c`" + `, ` + "`xt_socket.c`" + `). What the kernel sends for a connection that rests in TIME_WAIT has no such socket, so that conntrack would
  take it for a new connection, and nat redirect it to the proxy.
- An ICMP error about a connection that is not tracked is invalid (` + "`net/netfilter/nf_conntrack_proto_icmp.c`" + `). With ` + "`--drop-invalid`" + ` the path's MTU would not be found.
`

func (r report) writeInbound(b *strings.Builder) {
	if len(r.inbound) == 0 {
		return
	}
	b.WriteString(aboutInbound)
	base := median(r.inbound[0].micros)
	for _, t := range r.inbound {
		fmt.Fprintf(b, "| %s | %.1f µs | %.2f |\n", t.name, median(t.micros), median(t.micros)/base)
	}
	b.WriteString(whyTracked)
}
