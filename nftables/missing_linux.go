package nftables

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
)

// explain turns the kernel's refusal of a message of the batch into an [*Error].
func (b *batch) explain(err error) error {
	refused := (*nfnl.Error)(nil)
	if !errors.As(err, &refused) {
		return &Error{Op: "apply", Err: err}
	}
	e := &Error{Op: "commit", Err: refused, Hint: hint(refused.Errno)}
	if refused.Message < 0 || refused.Message >= len(b.steps) {
		if refused.Errno == unix.EOPNOTSUPP || refused.Errno == unix.EINVAL {
			e.Missing = "nf_tables: CONFIG_NF_TABLES"
		}
		return e
	}
	s := b.plan.steps[b.steps[refused.Message]]
	e.Op, e.Object = string(s.verb), s.String()[len(s.verb)+1:]
	e.Missing = missing(s, b.Body(refused.Message), refused)
	return e
}

// missing names the module that a refused step needs.
func missing(s step, body []byte, refused *nfnl.Error) string {
	switch {
	case s.verb == makeTable && (refused.Errno == unix.EAFNOSUPPORT || refused.Errno == unix.EOPNOTSUPP):
		return tableModule(s.table)
	case s.verb == makeChain && (refused.Errno == unix.ENOENT || refused.Errno == unix.EOPNOTSUPP):
		return chainModule(s)
	case s.verb == addRule && (refused.Errno == unix.ENOENT || refused.Errno == unix.EOPNOTSUPP):
		return exprModule(exprAt(body, refused.Offset))
	}
	return ""
}

func tableModule(t Table) string {
	switch t.Family() {
	case "ip":
		return "nf_tables for IPv4: CONFIG_NF_TABLES_IPV4"
	case "ip6":
		return "nf_tables for IPv6: CONFIG_NF_TABLES_IPV6"
	}
	return "nf_tables for inet tables: CONFIG_NF_TABLES_INET"
}

func chainModule(s step) string {
	switch s.chain.Hook.Type {
	case "nat":
		if s.table.Only == 0 {
			return "nft_chain_nat for inet tables: CONFIG_NFT_NAT, Linux 5.2"
		}
		return "nft_chain_nat: CONFIG_NFT_NAT"
	case "route":
		return "nft_chain_route: CONFIG_NF_TABLES"
	}
	return ""
}

// exprModule names the module of an expression, "" for those that are part of
// nf_tables itself.
func exprModule(name string) string {
	switch name {
	case "redir":
		return "nft_redir: CONFIG_NFT_REDIR"
	case "tproxy":
		return "nft_tproxy: CONFIG_NFT_TPROXY"
	case "socket":
		return "nft_socket: CONFIG_NFT_SOCKET"
	case "ct":
		return "nft_ct: CONFIG_NFT_CT"
	case "log":
		return "nft_log: CONFIG_NFT_LOG"
	case "":
		return ""
	case "meta", "cmp", "payload", "bitwise", "byteorder", "range", "lookup", "immediate", "counter":
		return ""
	}
	return "nft_" + name
}

// exprAt is the expression of a rule that holds the byte at an offset of the
// message's body; "" if there is none.
func exprAt(body []byte, offset int) string {
	if offset < 0 || offset >= len(body) {
		return ""
	}
	list := nfnl.Attr(body, unix.NFTA_RULE_EXPRESSIONS)
	for _, item := range nfnl.Attrs(list) {
		// item is a part of body: what is left of the capacity tells where it ends.
		end := cap(body) - cap(item) + len(item)
		if offset < end {
			return exprName(nfnl.Attr(item, unix.NFTA_EXPR_NAME))
		}
	}
	return ""
}

func hint(errno unix.Errno) string {
	switch errno {
	case unix.EPERM:
		return "this takes CAP_NET_ADMIN in the user namespace that owns the network namespace"
	case unix.ENOMEM, unix.ENOBUFS:
		return "the kernel is short of memory: the cgroup's limit counts rules too"
	}
	return ""
}
