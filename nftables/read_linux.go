package nftables

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
	"github.com/sluicemesh/sluice/iptables"
)

// snapshot is the tables of one generation of the kernel's rules.
type snapshot struct {
	tables     Tables
	generation uint32
}

// read lists what is ours. It is repeated until nothing changed meanwhile.
func (c *Conn) read(ctx context.Context) (snapshot, error) {
	for range attempts {
		before, err := c.generation(ctx)
		if err != nil {
			return snapshot{}, err
		}
		tables, err := c.tables(ctx)
		if err != nil {
			return snapshot{}, err
		}
		if len(tables) == 0 {
			return snapshot{generation: before}, nil
		}
		after, err := c.generation(ctx)
		if err != nil || after == before {
			return snapshot{tables, before}, err
		}
	}
	return snapshot{}, &Error{Op: "list rules", Err: nfnl.ErrChanged}
}

// generation is the number that the kernel counts up with every transaction in
// the namespace.
func (c *Conn) generation(ctx context.Context) (uint32, error) {
	var id uint32
	var b nfnl.Buffer
	b.Message(subsystem<<8|unix.NFT_MSG_GETGEN, 0, 0, 0)
	err := c.nl.Request(ctx, &b, func(body []byte) { id = nfnl.Uint32(nfnl.Attr(body, unix.NFTA_GEN_ID)) })
	if err != nil {
		return 0, c.failed("ask for the generation", err)
	}
	return id, nil
}

// tables reads everything of ours: nothing more than the list of tables if
// there is none.
func (c *Conn) tables(ctx context.Context) (Tables, error) {
	ts, err := c.list(ctx)
	for i := range ts {
		if err == nil {
			err = c.contents(ctx, &ts[i])
		}
	}
	return ts, err
}

// list reads which tables of ours there are, without their contents.
func (c *Conn) list(ctx context.Context) (Tables, error) {
	var ts Tables
	err := c.dump(ctx, "tables", unix.NFT_MSG_GETTABLE, 0, nil, func() { ts = nil }, func(family uint8, body []byte) {
		if only, ours := tableFamily(family); ours && nfnl.String(nfnl.Attr(body, unix.NFTA_TABLE_NAME)) == Name {
			flags := nfnl.Uint32(nfnl.Attr(body, unix.NFTA_TABLE_FLAGS))
			ts = append(ts, Table{Only: only, Dormant: flags&unix.NFT_TABLE_F_DORMANT != 0})
		}
	})
	slices.SortFunc(ts, func(a, b Table) int { return cmp.Compare(a.Only, b.Only) })
	return ts, err
}

// tableFamily is the family of a table of ours.
func tableFamily(number uint8) (iptables.Family, bool) {
	for _, f := range []iptables.Family{0, iptables.V4, iptables.V6} {
		if familyNumber(f) == number {
			return f, true
		}
	}
	return 0, false
}

func (c *Conn) contents(ctx context.Context, t *Table) error {
	if err := c.chains(ctx, t); err != nil {
		return err
	}
	sets, err := c.sets(ctx, *t)
	if err != nil {
		return err
	}
	return c.rules(ctx, t, sets)
}

// dump lists objects of a family; name is the attribute that asks for those of
// our table only, where the kernel can filter. Others are filtered by the caller.
func (c *Conn) dump(ctx context.Context, what string, kind uint16, family uint8, ask func(*nfnl.Buffer), restart func(), visit func(uint8, []byte)) error {
	var b nfnl.Buffer
	b.Message(subsystem<<8|kind, nfnl.FlagDump, family, 0)
	if ask != nil {
		ask(&b)
	}
	if err := c.nl.Dump(ctx, &b, restart, visit); err != nil {
		return c.failed("list "+what, err)
	}
	return nil
}

func (c *Conn) chains(ctx context.Context, t *Table) error {
	return c.dump(ctx, "chains", unix.NFT_MSG_GETCHAIN, familyNumber(t.Only), nil, func() { t.Chains = nil }, func(_ uint8, body []byte) {
		if nfnl.String(nfnl.Attr(body, unix.NFTA_CHAIN_TABLE)) == Name {
			t.Chains = append(t.Chains, parseChain(body))
		}
	})
}

func parseChain(body []byte) Chain {
	var c Chain
	for kind, value := range nfnl.Attrs(body) {
		switch kind {
		case unix.NFTA_CHAIN_NAME:
			c.Name = nfnl.String(value)
		case unix.NFTA_CHAIN_TYPE:
			c.Hook.Type = nfnl.String(value)
		case unix.NFTA_CHAIN_POLICY:
			c.Hook.Drop = nfnl.Uint32(value) != 1 // NF_ACCEPT
		case unix.NFTA_CHAIN_HOOK:
			c.Hook.Number = nfnl.Uint32(nfnl.Attr(value, unix.NFTA_HOOK_HOOKNUM))
			c.Hook.Priority = int32(nfnl.Uint32(nfnl.Attr(value, unix.NFTA_HOOK_PRIORITY)))
		}
	}
	if c.Hook != (Hook{}) {
		c.Hook.Name = hookName(c.Hook.Number)
	}
	return c
}

func hookName(number uint32) string {
	for _, h := range hooks() {
		if h.hook.Number == number {
			return h.hook.Name
		}
	}
	return "unknown"
}

func (c *Conn) rules(ctx context.Context, t *Table, sets map[string]set) error {
	at := map[string]*Chain{}
	for i := range t.Chains {
		at[t.Chains[i].Name] = &t.Chains[i]
	}
	room := make([]expr, 0, 24)
	forget := func() {
		for i := range t.Chains {
			t.Chains[i].Rules = nil
		}
	}
	ours := func(b *nfnl.Buffer) { b.String(unix.NFTA_RULE_TABLE, Name) }
	return c.dump(ctx, "rules", unix.NFT_MSG_GETRULE, familyNumber(t.Only), ours, forget, func(_ uint8, body []byte) {
		var table, chain, comment string
		for kind, value := range nfnl.Attrs(body) {
			switch kind {
			case unix.NFTA_RULE_TABLE:
				table = nfnl.String(value)
			case unix.NFTA_RULE_CHAIN:
				chain = nfnl.String(value)
			case unix.NFTA_RULE_EXPRESSIONS:
				room = parseExprs(value, room)
			case unix.NFTA_RULE_USERDATA:
				comment = parseComment(value)
			}
		}
		if into := at[chain]; into != nil && table == Name {
			r := decoder{sets: sets, only: t.Only}.decode(room)
			r.Comment = comment
			into.Rules = append(into.Rules, r)
		}
	})
}

// parseComment is the inverse of commentData.
func parseComment(data []byte) string {
	for len(data) >= 2 {
		kind, n := data[0], int(data[1])
		if 2+n > len(data) {
			return ""
		}
		if kind == 0 {
			return strings.TrimRight(string(data[2:2+n]), "\x00")
		}
		data = data[2+n:]
	}
	return ""
}

// sets reads the sets of a table by name.
func (c *Conn) sets(ctx context.Context, t Table) (map[string]set, error) {
	all := map[string]set{}
	ours := func(b *nfnl.Buffer) { b.String(unix.NFTA_SET_TABLE, Name) }
	err := c.dump(ctx, "sets", unix.NFT_MSG_GETSET, familyNumber(t.Only), ours, func() { clear(all) }, func(_ uint8, body []byte) {
		if nfnl.String(nfnl.Attr(body, unix.NFTA_SET_TABLE)) == Name {
			all[nfnl.String(nfnl.Attr(body, unix.NFTA_SET_NAME))] = set{
				keyType:  nfnl.Uint32(nfnl.Attr(body, unix.NFTA_SET_KEY_TYPE)),
				keyLen:   int(nfnl.Uint32(nfnl.Attr(body, unix.NFTA_SET_KEY_LEN))),
				interval: nfnl.Uint32(nfnl.Attr(body, unix.NFTA_SET_FLAGS))&unix.NFT_SET_INTERVAL != 0,
			}
		}
	})
	for name, s := range all {
		if err == nil {
			s.elements, err = c.elements(ctx, t, name)
			all[name] = s
		}
	}
	return all, err
}

// elements reads a set's elements in ascending order, an end before a beginning
// at the same key.
func (c *Conn) elements(ctx context.Context, t Table, name string) ([]element, error) {
	var all []element
	which := func(b *nfnl.Buffer) {
		b.String(unix.NFTA_SET_ELEM_LIST_TABLE, Name)
		b.String(unix.NFTA_SET_ELEM_LIST_SET, name)
	}
	err := c.dump(ctx, "the elements of a set", unix.NFT_MSG_GETSETELEM, familyNumber(t.Only), which, func() { all = nil }, func(_ uint8, body []byte) {
		for _, item := range nfnl.Attrs(nfnl.Attr(body, unix.NFTA_SET_ELEM_LIST_ELEMENTS)) {
			all = append(all, parseElement(item))
		}
	})
	slices.SortFunc(all, func(a, b element) int {
		if d := strings.Compare(a.key, b.key); d != 0 || a.end == b.end {
			return d
		}
		if a.end {
			return -1
		}
		return 1
	})
	return all, err
}

func parseElement(item []byte) element {
	var e element
	for kind, value := range nfnl.Attrs(item) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			e.key = string(nfnl.Attr(value, unix.NFTA_DATA_VALUE))
		case unix.NFTA_SET_ELEM_FLAGS:
			e.end = nfnl.Uint32(value)&unix.NFT_SET_ELEM_INTERVAL_END != 0
		}
	}
	return e
}
