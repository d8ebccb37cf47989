// Command googlenft loads as many chains and rules as the standard interception
// has through google/nftables with its defaults.
package main

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

const chains, rules = 5, 20

func main() {
	c, err := nftables.New()
	check(err)
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "bench"})
	for i := range chains {
		chain := c.AddChain(&nftables.Chain{Name: fmt.Sprint("c", i), Table: t})
		for range rules / chains {
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{6}},
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0x3a, 0xa0}},
				&expr.Verdict{Kind: expr.VerdictReturn},
			}})
		}
	}
	check(c.Flush())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
