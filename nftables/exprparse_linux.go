package nftables

import (
	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
)

// expr is one expression as the kernel lists it.
type expr struct {
	name string
	attr [attrs][]byte // by kind
}

const attrs = 9 // no expression that we use has an attribute of a higher kind

// parseExprs reads NFTA_RULE_EXPRESSIONS into room, which is reused.
func parseExprs(data []byte, room []expr) []expr {
	out := room[:0]
	for _, item := range nfnl.Attrs(data) {
		e := expr{name: exprName(nfnl.Attr(item, unix.NFTA_EXPR_NAME))}
		for kind, value := range nfnl.Attrs(nfnl.Attr(item, unix.NFTA_EXPR_DATA)) {
			if kind < attrs {
				e.attr[kind] = value
			}
		}
		out = append(out, e)
	}
	return out
}

// exprName is the name, for those that we use without a copy.
func exprName(value []byte) string {
	if n := len(value); n > 0 && value[n-1] == 0 {
		value = value[:n-1]
	}
	switch string(value) {
	case "meta":
		return "meta"
	case "cmp":
		return "cmp"
	case "payload":
		return "payload"
	case "immediate":
		return "immediate"
	case "ct":
		return "ct"
	case "bitwise":
		return "bitwise"
	}
	return string(value)
}

func (e expr) number(kind uint16) uint32 { return nfnl.Uint32(e.attr[kind]) }

// data is the bytes of an attribute that holds data for a register.
func (e expr) data(kind uint16) []byte { return nfnl.Attr(e.attr[kind], unix.NFTA_DATA_VALUE) }
