package conflist

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
)

// Entry is one plugin's configuration, ours, as a JSON object.
type Entry struct {
	raw  []byte
	kind string
}

// NewEntry checks that raw is an object with a type. Beside an error the entry
// is empty, without a type, and equals no other.
func NewEntry(raw []byte) (Entry, error) {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		return Entry{}, ErrSyntax
	}
	e := Entry{raw: raw, kind: typeOf(raw)}
	if e.kind == "" {
		return Entry{}, ErrNoType
	}
	return e, nil
}

// Type is the plugin's type, by which its entries are found.
func (e Entry) Type() string { return e.kind }

// Bytes is the entry's text.
func (e Entry) Bytes() []byte { return e.raw }

// State says how an entry stands in a list.
type State string

// The states, from "nothing to do" to "not there".
const (
	Installed State = "installed" // once, last, and equal
	Stale     State = "stale"     // once and last, but with other settings
	Misplaced State = "misplaced" // once, but another plugin follows
	Repeated  State = "repeated"  // more than once
	Absent    State = "absent"
)

// State compares the whole entry and its place. A program that wrote the list
// anew with its keys in another order has not changed anything.
func (l List) State(e Entry) State {
	ours := l.of(e.kind)
	switch {
	case len(ours) == 0:
		return Absent
	case len(ours) > 1:
		return Repeated
	case ours[0] != len(l.plugins)-1:
		return Misplaced
	case !sameJSON(l.plugins[ours[0]].of(l.raw), e.raw):
		return Stale
	}
	return Installed
}

// of gives the places of the plugins of a type in the array.
func (l List) of(kind string) []int {
	var at []int
	for i, p := range l.plugins {
		if p.kind == kind {
			at = append(at, i)
		}
	}
	return at
}

func sameJSON(a, b []byte) bool {
	return reflect.DeepEqual(decode(a), decode(b))
}

// decode keeps numbers as they are written, so that none is rounded.
func decode(raw []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// With gives the list's text with the entry last and once; everything else
// stays byte for byte. It is the text itself if there is nothing to do, or if
// the list has no plugins of its own to stand behind.
func (l List) With(e Entry) []byte {
	switch l.State(e) {
	case Installed:
		return l.raw
	case Absent:
		if len(l.plugins) == 0 {
			return l.raw
		}
	case Stale:
		return splice(l.raw, l.plugins[len(l.plugins)-1].span, e.raw)
	}
	return l.without(e.kind).append(e)
}

// Without gives the list's text without any plugin of the type, and exactly
// what was there before With put it in.
func (l List) Without(kind string) []byte { return l.without(kind).raw }

// append puts the entry behind the last plugin, after the same white space as
// stands before that one: so it looks like its neighbours.
func (l List) append(e Entry) []byte {
	if len(l.plugins) == 0 {
		at := l.array + 1
		return splice(l.raw, span{at, at}, e.raw)
	}
	last := l.plugins[len(l.plugins)-1]
	text := slices.Concat([]byte(","), l.space(len(l.plugins)-1), e.raw)
	return splice(l.raw, span{last.end, last.end}, text)
}

// space is the white space before the plugin at i.
func (l List) space(i int) []byte {
	from := l.array + 1
	if i > 0 {
		from = l.plugins[i-1].end
	}
	gap := span{from, l.plugins[i].start}.of(l.raw)
	return gap[bytes.IndexByte(gap, ',')+1:]
}

// without cuts out every plugin of the type, each with one comma: the one
// before it or, ahead of the first that stays, the one behind it.
func (l List) without(kind string) List {
	cut, kept := l, []plugin(nil)
	cut.raw = nil
	from := 0
	for i, p := range l.plugins {
		if p.kind != kind {
			kept = append(kept, moved(p, from-len(cut.raw)))
			continue
		}
		gone := l.cut(i, len(kept) == 0)
		cut.raw = append(cut.raw, l.raw[from:gone.start]...)
		from = gone.end
	}
	cut.raw = append(cut.raw, l.raw[from:]...)
	cut.plugins = kept
	return cut
}

func moved(p plugin, by int) plugin {
	p.start, p.end = p.start-by, p.end-by
	return p
}

// cut is the range that goes with the plugin at i.
func (l List) cut(i int, first bool) span {
	p := l.plugins[i]
	switch {
	case !first:
		return span{l.plugins[i-1].end, p.end}
	case i+1 < len(l.plugins):
		return span{p.start, l.plugins[i+1].start}
	}
	return p.span
}

// splice replaces a range of raw.
func splice(raw []byte, at span, by []byte) []byte {
	return slices.Concat(raw[:at.start], by, raw[at.end:])
}

// Equal compares two entries as values: key order and white space don't count.
func (e Entry) Equal(other Entry) bool { return sameJSON(e.raw, other.raw) }
