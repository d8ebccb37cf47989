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
TPROXY mode keeps its connections in conntrack, and lets those that are established pass by their state. Doing without was tried, and is not done:

- Asking for the socket instead (` + "`-m socket --transparent`" + `) is no shorter way: it looks the socket up for each packet, which costs as much as what it
  saves, and the packet has been tracked before any rule of mangle sees it.
- Keeping captured packets out of conntrack (` + "`CT --notrack`" + ` in raw) is what saves at all: about what the tracking costs a pod without rules.
- It would not be sound. Without a state, nothing tells the reply to a connection that the pod opened from a new one that comes in, nor a connection that was there
  before the rules, which must live on, from one of the proxy's: its socket is not transparent. The mark by which the application's answers find back to the proxy
  lies in the connection. And outbound REDIRECT keeps conntrack on in the pod in any case.
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
