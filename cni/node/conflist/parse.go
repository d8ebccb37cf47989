package conflist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// MaxSize is the largest configuration in bytes that is looked at. Real ones
// have a few kilobytes; what is larger is not a configuration.
const MaxSize = 1 << 20

// List is a network configuration list, as text and as the places in it.
type List struct {
	raw []byte
	// Name and Version are the list's own; Version may be empty.
	Name, Version string
	// Inlined means that the runtime must not look into the drop-in folder.
	Inlined bool
	// Source is the file that an owned list was generated from, see Owned.
	Source  string
	array   span // of the plugins array, brackets included; empty without one
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
	ErrVersion   = errors.New("cniVersion is not a string")
	ErrPlugins   = errors.New("plugins is not a list of objects with a type")
	ErrNoPlugins = errors.New("no plugins")
	ErrNoType    = errors.New("no plugin type")
)

// Parse reads a list. It accepts what runtimes accept and nothing else; of a
// key that stands twice the last one counts, as in the runtimes. A list
// without the plugins key is accepted here, since its plugins may stand in a
// drop-in folder: see List.Loads.
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
	l.array = at
	l.plugins, err = elements(raw, at)
	return l, err
}

// head reads the list's own fields.
func (l *List) head(fields map[string]span) error {
	if json.Unmarshal(fields["name"].of(l.raw), &l.Name) != nil || !names.MatchString(l.Name) {
		return ErrName
	}
	if at, ok := fields["cniVersion"]; ok && !isString(at.of(l.raw), &l.Version) {
		return ErrVersion
	}
	if at, ok := fields[sourceKey]; ok && !isString(at.of(l.raw), &l.Source) {
		l.Source = ""
	}
	at, ok := fields["loadOnlyInlinedPlugins"]
	l.Inlined = ok && slices.Contains([]string{"true", `"true"`}, string(bytes.ToLower(at.of(l.raw))))
	return nil
}

// isString reads a JSON string, null excluded.
func isString(raw []byte, into *string) bool {
	return raw[0] == '"' && json.Unmarshal(raw, into) == nil
}

// members gives the place of every value of the top-level object.
func members(raw []byte) (map[string]span, error) {
	switch {
	case len(raw) > MaxSize:
		return nil, ErrSize
	case !json.Valid(raw):
		return nil, ErrSyntax
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, ErrObject
	}
	fields := map[string]span{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, ErrSyntax
		}
		at, err := value(dec)
		if err != nil {
			return nil, ErrSyntax
		}
		fields[key.(string)] = at
	}
	return fields, nil
}

// value skips the next value and gives its place.
func value(dec *json.Decoder) (span, error) {
	var v json.RawMessage
	if err := dec.Decode(&v); err != nil {
		return span{}, err
	}
	end := int(dec.InputOffset())
	return span{end - len(v), end}, nil
}

// elements gives the place and type of every plugin of the array at.
func elements(raw []byte, at span) ([]plugin, error) {
	dec := json.NewDecoder(bytes.NewReader(at.of(raw)))
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return nil, ErrPlugins
	}
	var list []plugin
	for dec.More() {
		v, err := value(dec)
		if err != nil {
			return nil, ErrPlugins
		}
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

// typeOf gives a plugin's type, empty if it is no plugin. The decoder matches
// the key in any letter case, as the runtimes' does.
func typeOf(raw []byte) string {
	var p struct{ Type string }
	if raw[0] != '{' || json.Unmarshal(raw, &p) != nil {
		return ""
	}
	return p.Type
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
