package nftables

import (
	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/nfnl"
)

const subsystem = unix.NFNL_SUBSYS_NFTABLES

// anonymous is the name of a set that belongs to one rule. The kernel puts a
// number in; within the batch the set has an id.
const anonymous = "__set%d"

// setAnonymous marks a set that is deleted with its rule and never changes.
const setAnonymous = unix.NFT_SET_ANONYMOUS | unix.NFT_SET_CONSTANT

// batch is the transaction that carries out a plan.
type batch struct {
	nfnl.Buffer
	plan  Plan
	step  int    // the one that is being written
	steps []int  // of each message, to tell which one the kernel refused
	sets  uint32 // written so far
}

const roomPerStep = 420 // bytes; a typical rule takes about as many

func encode(p Plan) *batch {
	b := &batch{plan: p, steps: make([]int, 0, len(p.steps))}
	b.Grow(len(p.steps) * roomPerStep)
	for i, s := range p.steps {
		b.step = i
		b.write(s)
	}
	return b
}

func (b *batch) write(s step) {
	switch s.verb {
	case makeTable:
		b.message(s, unix.NFT_MSG_NEWTABLE, nfnl.FlagCreate)
		b.String(unix.NFTA_TABLE_NAME, Name)
		b.Uint32(unix.NFTA_TABLE_FLAGS, 0)
	case deleteTable:
		b.message(s, unix.NFT_MSG_DELTABLE, 0)
		b.String(unix.NFTA_TABLE_NAME, Name)
	case makeChain:
		b.chain(s)
	case deleteChain:
		b.message(s, unix.NFT_MSG_DELCHAIN, 0)
		b.String(unix.NFTA_CHAIN_TABLE, Name)
		b.String(unix.NFTA_CHAIN_NAME, s.chain.Name)
	case flushChain: // a deletion that names no rule means all of the chain
		b.message(s, unix.NFT_MSG_DELRULE, 0)
		b.String(unix.NFTA_RULE_TABLE, Name)
		b.String(unix.NFTA_RULE_CHAIN, s.chain.Name)
	case addRule:
		b.rule(s)
	}
}

func (b *batch) message(s step, kind, flags uint16) {
	b.Message(subsystem<<8|kind, flags, familyNumber(s.table.Only), 0)
	b.steps = append(b.steps, b.step)
}

func (b *batch) chain(s step) {
	b.message(s, unix.NFT_MSG_NEWCHAIN, nfnl.FlagCreate)
	b.String(unix.NFTA_CHAIN_TABLE, Name)
	b.String(unix.NFTA_CHAIN_NAME, s.chain.Name)
	h := s.chain.Hook
	if h == (Hook{}) {
		return
	}
	b.String(unix.NFTA_CHAIN_TYPE, h.Type)
	b.Uint32(unix.NFTA_CHAIN_POLICY, 1) // NF_ACCEPT
	hook := b.Open(unix.NFTA_CHAIN_HOOK)
	b.Uint32(unix.NFTA_HOOK_HOOKNUM, h.Number)
	b.Uint32(unix.NFTA_HOOK_PRIORITY, uint32(h.Priority))
	b.Close(hook)
}

func (b *batch) rule(s step) {
	first := b.sets + 1
	for _, m := range s.rule.Match {
		if contents, ok := setOf(m); ok {
			b.set(s, contents)
		}
	}
	w := exprWriter{b: &b.Buffer, table: s.table}
	for id := first; id <= b.sets; id++ {
		w.sets = append(w.sets, id)
	}
	b.message(s, unix.NFT_MSG_NEWRULE, nfnl.FlagCreate|nfnl.FlagAppend)
	b.String(unix.NFTA_RULE_TABLE, Name)
	b.String(unix.NFTA_RULE_CHAIN, s.chain.Name)
	list := b.Open(unix.NFTA_RULE_EXPRESSIONS)
	w.rule(s.rule)
	b.Close(list)
	if s.rule.Comment != "" {
		b.Raw(unix.NFTA_RULE_USERDATA, commentData(s.rule.Comment))
	}
}

// commentData is a comment as nft stores it: kind 0, length, text, zero byte.
func commentData(text string) []byte {
	return append([]byte{0, byte(len(text) + 1)}, text+"\x00"...)
}

// set writes a set and its elements, in as many messages as one attribute of at
// most 64 KiB each makes necessary.
func (b *batch) set(s step, contents set) {
	b.sets++
	flags := uint32(setAnonymous)
	if contents.interval {
		flags |= unix.NFT_SET_INTERVAL
	}
	b.message(s, unix.NFT_MSG_NEWSET, nfnl.FlagCreate)
	b.String(unix.NFTA_SET_TABLE, Name)
	b.String(unix.NFTA_SET_NAME, anonymous)
	b.Uint32(unix.NFTA_SET_FLAGS, flags)
	b.Uint32(unix.NFTA_SET_KEY_TYPE, contents.keyType)
	b.Uint32(unix.NFTA_SET_KEY_LEN, uint32(contents.keyLen))
	b.Uint32(unix.NFTA_SET_ID, b.sets)
	desc := b.Open(unix.NFTA_SET_DESC)
	b.Uint32(unix.NFTA_SET_DESC_SIZE, uint32(len(contents.elements)))
	b.Close(desc)
	b.Raw(unix.NFTA_SET_USERDATA, setData())
	b.Grow(len(contents.elements) * (contents.keyLen + 24))
	for list := contents.elements; len(list) > 0; {
		list = list[b.elements(s, list):]
	}
}

// setData tells nft, which lists sets by it, that keys are in network order
// (NFTNL_UDATA_SET_KEYBYTEORDER, BYTEORDER_BIG_ENDIAN).
func setData() []byte {
	return append([]byte{0, 4}, native32(2)...)
}

// elements writes as many elements as one message takes and says how many.
func (b *batch) elements(s step, list []element) int {
	b.message(s, unix.NFT_MSG_NEWSETELEM, nfnl.FlagCreate)
	b.String(unix.NFTA_SET_ELEM_LIST_TABLE, Name)
	b.String(unix.NFTA_SET_ELEM_LIST_SET, anonymous)
	b.Uint32(unix.NFTA_SET_ELEM_LIST_SET_ID, b.sets)
	all := b.Open(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
	n := 0
	for n < len(list) && b.Room(all) > 64 {
		b.element(list[n])
		n++
	}
	b.Close(all)
	return n
}

func (b *batch) element(e element) {
	at := b.Open(unix.NFTA_LIST_ELEM)
	if e.end {
		b.Uint32(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)
	}
	key := b.Open(unix.NFTA_SET_ELEM_KEY)
	b.Text(unix.NFTA_DATA_VALUE, e.key)
	b.Close(key)
	b.Close(at)
}
