package xtables

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// nftStanding asks the kernel for the names of all nf_tables chains, by one
// NFT_MSG_GETCHAIN dump: no program, nothing created, a few microseconds.
func nftStanding(ctx context.Context, families []iptables.Family) []Standing {
	chains, err := nftChains(ctx)
	list := make([]Standing, len(families))
	for i, f := range families {
		list[i] = Standing{Flavour: NFT, Family: f, Asked: true, Err: nftRefusal(err)}
		for _, c := range chains {
			if err == nil && c.family == nfproto(f) {
				list[i].add(c)
			}
		}
	}
	return list
}

// nftRefusal tells a kernel without nf_tables, and a process that may not ask it,
// from a question that failed.
func nftRefusal(err error) error {
	const op = "ask the kernel for nf_tables chains"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return noCapability("NET_ADMIN")
	}
	for _, absent := range []error{unix.EINVAL, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.ENOENT} {
		if errors.Is(err, absent) {
			return &Error{Kind: Unusable, Op: op, Err: err, Hint: "this kernel has no nf_tables: use iptables-legacy"}
		}
	}
	return &Error{Op: op, Err: err}
}

func (s *Standing) add(c nftChain) {
	t := iptables.Table(c.table)
	known := false
	for _, k := range iptables.Tables() {
		known = known || k == t
	}
	if !known {
		return // not a table of iptables
	}
	if n := len(s.Tables); n == 0 || s.Tables[n-1] != t {
		s.Tables = append(s.Tables, t)
	}
	s.Own = s.Own || iptables.Own(t, c.name)
	s.Rules = s.Rules || c.used
}

func nfproto(f iptables.Family) uint8 {
	if f == iptables.V6 {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

// nftChain is what is wanted of a chain: used counts its rules and the jumps to it.
type nftChain struct {
	family      uint8
	table, name string
	used        bool
}

// nftChains dumps the chains of all families.
func nftChains(ctx context.Context) ([]nftChain, error) {
	conn, err := nfnl.Open()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var request nfnl.Buffer
	request.Message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETCHAIN, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC, 0)
	var chains []nftChain
	err = conn.Dump(ctx, &request, func() { chains = nil }, func(family uint8, body []byte) {
		chains = append(chains, nftChain{
			family: family,
			table:  nfnl.String(nfnl.Attr(body, unix.NFTA_CHAIN_TABLE)),
			name:   nfnl.String(nfnl.Attr(body, unix.NFTA_CHAIN_NAME)),
			used:   nfnl.Uint32(nfnl.Attr(body, unix.NFTA_CHAIN_USE)) > 0,
		})
	})
	return chains, err
}
