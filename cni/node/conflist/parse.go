package conflist

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	cnitypes "github.com/containernetworking/cni/pkg/types"
)

// MaxSize is the largest configuration in bytes that is looked at. Real ones
// have a few kilobytes; what is larger is not a configuration.
const MaxSize = 1 << 20

// List is a network configuration list, as text and as the places in it.
type List struct {
	raw []byte
	// Name is the list's own.
	Name string
	// Version is the newest that the list names and this program knows of;
	// empty if it names none.
	Version string
	// Inlined means that the runtime must not look into the drop-in folder.
	Inlined bool
	// Source is the file that an owned list was generated from, see Owned.
	Source  string
	array   int // where the plugins array begins, with its bracket
	plugins []plugin
}

// plugin is one entry of the array.
type plugin struct {
	span
	kind string // its type
}

// span is a range of the raw text.
type span struct{ start, end int }

func (s span) of(raw []byte) []byte { return raw[s.start:s.end] }

// names are what runtimes accept as a network's name; anything else fails at
// the first pod, and might be a path into another folder.
var names = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$`)

// Errors that say why a text is not a list that runtimes load.
var (
	ErrSize      = fmt.Errorf("larger than %d bytes", MaxSize)
	ErrSyntax    = errors.New("not valid JSON, or cut short")
	ErrObject    = errors.New("not a JSON object")
	ErrName      = errors.New("no usable network name")
	ErrVersion   = errors.New("cniVersion is not a string, or cniVersions not a list of versions")
	ErrFlag      = errors.New("disableCheck, disableGC or loadOnlyInlinedPlugins is neither true nor false")
	ErrPlugins   = errors.New("plugins is not a list of objects with a type")
	ErrNoPlugins = errors.New("no plugins")
	ErrNoType    = errors.New("no plugin type")
	ErrPlugin    = errors.New("a field that the CNI specification knows is of another kind")
)

// Parse reads a list. It accepts what runtimes accept and nothing else; of a
// key that stands twice the last one counts, as in the runtimes. A list
// without the plugins key is accepted here, since its plugins may stand in a
// drop-in folder: see File.Check. Beside an error the list is empty.
func Parse(raw []byte) (List, error) {
	fields, err := members(raw)
	if err != nil {
		return List{}, err
	}
	l := List{raw: raw}
	if err := l.head(fields); err != nil {
		return List{}, err
	}
	at, ok := fields["plugins"]
	if !ok && l.Inlined {
		return List{}, ErrNoPlugins
	} else if !ok {
		return l, nil
	}
	l.array = at.start
	if l.plugins, err = elements(raw, at); err != nil {
		return List{}, err
	}
	return l, nil
}

// head reads the list's own fields.
func (l *List) head(fields map[string]span) error {
	l.Name, _ = text(fields["name"].of(l.raw))
	if !names.MatchString(l.Name) {
		return ErrName
	}
	l.Source, _ = text(fields[sourceKey].of(l.raw))
	var known bool
	for _, key := range []string{"disableCheck", "disableGC", "loadOnlyInlinedPlugins"} { // the last is kept
		if l.Inlined, known = flag(fields[key].of(l.raw)); !known {
			return ErrFlag
		}
	}
	return l.readVersion(fields)
}

// text reads a JSON string, null excluded.
func text(raw []byte) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// flag reads true or false, which runtimes take as words too; what is absent
// is false.
func flag(raw []byte) (value, known bool) {
	word := cmp.Or(string(raw), "false")
	if s, ok := text(raw); ok {
		word = strings.ToLower(s)
	}
	return word == "true", word == "true" || word == "false"
}

// members gives the place of every value of the top-level object.
func members(raw []byte) (map[string]span, error) {
	var whole any // as in the runtimes, which refuse a number beyond float64 with it
	switch {
	case len(raw) > MaxSize:
		return nil, ErrSize
	case json.Unmarshal(raw, &whole) != nil:
		return nil, ErrSyntax
	}
	dec := json.NewDecoder(bytes.NewReader(raw)) // cannot fail from here on
	if open, _ := dec.Token(); open != json.Delim('{') {
		return nil, ErrObject
	}
	fields := map[string]span{}
	for dec.More() {
		key, _ := dec.Token()
		fields[key.(string)] = value(dec)
	}
	return fields, nil
}

// value skips the next value of valid JSON and gives its place.
func value(dec *json.Decoder) span {
	var v json.RawMessage
	_ = dec.Decode(&v)
	end := int(dec.InputOffset())
	return span{end - len(v), end}
}

// elements gives the place and type of every plugin of the array at, which is
// valid JSON.
func elements(raw []byte, at span) ([]plugin, error) {
	dec := json.NewDecoder(bytes.NewReader(at.of(raw)))
	if open, _ := dec.Token(); open != json.Delim('[') {
		return nil, ErrPlugins
	}
	var list []plugin
	for dec.More() {
		v := value(dec)
		p := plugin{span: span{at.start + v.start, at.start + v.end}}
		if p.kind = typeOf(p.of(raw)); p.kind == "" {
			return nil, ErrPlugins
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, ErrNoPlugins
	}
	return list, nil
}

// typeOf gives a plugin's type, empty if it is no plugin that runtimes load.
// They decode the list to any values and write the plugin again, with its keys
// in order, before they read its fields.
func typeOf(raw []byte) string {
	ordered, _ := json.Marshal(decode(raw)) // what was decoded can be written
	p, err := load(ordered)
	if err != nil {
		return ""
	}
	return p.Type
}

// load reads a plugin as runtimes do: into this type, whose keys match in any
// letter case, and whose known fields must be of their kind.
func load(raw []byte) (p cnitypes.PluginConf, err error) {
	err = json.Unmarshal(raw, &p)
	return p, err
}

// Types gives the types of the list's plugins in order.
func (l List) Types() []string {
	types := make([]string, len(l.plugins))
	for i, p := range l.plugins {
		types[i] = p.kind
	}
	return types
}

// Bytes is the list's text.
func (l List) Bytes() []byte { return l.raw }
