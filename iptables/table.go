package iptables

import "slices"

// Table is a netfilter table.
type Table string

// The tables, in the order in which a hook consults them
// (include/uapi/linux/netfilter_ipv4.h: -300, -150, -100, 0, 50).
const (
	Raw      Table = "raw"
	Mangle   Table = "mangle"
	Nat      Table = "nat"
	Filter   Table = "filter"
	Security Table = "security"
)

// Tables lists the tables in hook order, which is the order of every output.
func Tables() []Table { return []Table{Raw, Mangle, Nat, Filter, Security} }

// The built-in chains.
const (
	Prerouting  = "PREROUTING"
	Input       = "INPUT"
	Forward     = "FORWARD"
	Output      = "OUTPUT"
	Postrouting = "POSTROUTING"
)

// Builtins lists the built-in chains of a table, as the kernel orders them.
func (t Table) Builtins() []string {
	switch t {
	case Raw:
		return []string{Prerouting, Output}
	case Nat:
		return []string{Prerouting, Input, Output, Postrouting}
	case Mangle:
		return []string{Prerouting, Input, Forward, Output, Postrouting}
	default:
		return []string{Input, Forward, Output}
	}
}

// The chains of sluice. ISTIO_ is the prefix that the ecosystem's tools look for.
const (
	ChainInbound    = "ISTIO_INBOUND"
	ChainInRedirect = "ISTIO_IN_REDIRECT"
	ChainOutput     = "ISTIO_OUTPUT"
	ChainRedirect   = "ISTIO_REDIRECT"
	ChainOutputDNS  = "ISTIO_OUTPUT_DNS"
	ChainDivert     = "ISTIO_DIVERT"
	ChainTProxy     = "ISTIO_TPROXY"
	ChainDrop       = "ISTIO_DROP"
)

// OwnChains lists the chains of sluice in a table, in output order. Exactly
// these, and jumps to them, are ours: cleanup and verification need no flags.
func OwnChains(t Table) []string {
	switch t {
	case Raw:
		return []string{ChainInbound, ChainOutputDNS}
	case Mangle:
		return []string{ChainDrop, ChainInbound, ChainDivert, ChainTProxy, ChainOutput}
	case Nat:
		return []string{ChainInbound, ChainInRedirect, ChainOutput, ChainOutputDNS, ChainRedirect}
	default:
		return nil
	}
}

// Own says whether a chain of a table is ours.
func Own(t Table, chain string) bool { return slices.Contains(OwnChains(t), chain) }
