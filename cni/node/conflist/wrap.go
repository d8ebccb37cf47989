package conflist

import (
	"bytes"
	"encoding/json"
	"slices"
)

// sourceKey marks a list that was generated from another file. Runtimes ignore
// keys that they do not know.
const sourceKey = "sluice.sluicemesh.io/source"

// Single is a configuration of one plugin, as a .conf or .json file holds it.
type Single struct {
	raw           []byte
	Name, Version string
	Type          string
}

// ParseSingle reads the configuration of one plugin.
func ParseSingle(raw []byte) (Single, error) {
	if _, err := members(raw); err != nil {
		return Single{}, err
	}
	head, err := load(raw)
	if err != nil {
		return Single{}, ErrPlugin
	}
	kind := typeOf(raw)
	switch {
	case kind == "":
		return Single{}, ErrNoType
	case !names.MatchString(head.Name):
		return Single{}, ErrName
	}
	return Single{raw: bytes.TrimSpace(raw), Name: head.Name, Version: head.CNIVersion, Type: kind}, nil
}

// Wrap gives a list of the same name and version that holds the plugin as it
// is written, and nothing else.
func (s Single) Wrap() []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	if s.Version != "" {
		b.WriteString(`  "cniVersion": ` + quote(s.Version) + ",\n")
	}
	b.WriteString(`  "name": ` + quote(s.Name) + ",\n  \"plugins\": [\n    ")
	b.Write(s.raw)
	b.WriteString("\n  ]\n}\n")
	return b.Bytes()
}

func quote(s string) string {
	text, _ := json.Marshal(s) // never fails for a string
	return string(text)
}

// Owned gives a list of our own that does what l does and names, under a key
// that runtimes ignore, the file it was generated from.
func (l List) Owned(source string) []byte {
	open := bytes.IndexByte(l.raw, '{') + 1
	mark := []byte("\n  " + quote(sourceKey) + ": " + quote(source) + ",")
	return slices.Concat(l.raw[:open], mark, l.raw[open:])
}
