package netconf

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/builder"
)

// one reads a key whose value has one type.
func one[T any](accepted string, parse func(json.RawMessage) (T, bool), set func(*Config, T)) func(*Config, string, json.RawMessage) {
	return func(c *Config, name string, v json.RawMessage) {
		value, ok := parse(v)
		if !ok {
			c.Problems = append(c.Problems, bad(Origin+name, v, accepted))
			return
		}
		set(c, value)
	}
}

// setting reads a key that is a flag of `sluice apply`; the builder's parser
// checks its value.
func setting(flag string) func(*Config, string, json.RawMessage) {
	return func(c *Config, name string, v json.RawMessage) {
		value, ok := plain(v)
		if !ok {
			c.Problems = append(c.Problems, bad(Origin+name, v, "a plain value"))
			return
		}
		c.Settings = append(c.Settings, builder.Input{Flag: flag, Value: value, Origin: Origin + name})
	}
}

// Origin begins the origin of every setting that stands in the configuration.
const Origin = "network config key "

func bad(place string, v json.RawMessage, accepted string) *Problem {
	const limit = 60
	shown := string(bytes.TrimSpace(v))
	if len(shown) > limit {
		shown = strings.ToValidUTF8(shown[:limit], "") + "…"
	}
	return &Problem{place, shown, accepted}
}

// typed reads a value of one JSON type; null is of none.
func typed[T any](v json.RawMessage) (T, bool) {
	var value *T
	if json.Unmarshal(v, &value) != nil || value == nil {
		return *new(T), false
	}
	return *value, true
}

func text(v json.RawMessage) (string, bool) { return typed[string](v) }

func boolean(v json.RawMessage) (bool, bool) { return typed[bool](v) }

func list(v json.RawMessage) ([]string, bool) { return typed[[]string](v) }

func level(v json.RawMessage) (string, bool) {
	s, _ := text(v)
	s = strings.ToLower(s)
	if _, after, scoped := strings.Cut(s, ":"); scoped { // "default:info"
		s = after
	}
	return s, slices.Contains([]string{"debug", "info", "warn", "error"}, s)
}

func absolute(v json.RawMessage) (string, bool) {
	s, _ := text(v)
	return s, path.IsAbs(s)
}

func absoluteOrEmpty(v json.RawMessage) (string, bool) {
	s, ok := text(v)
	return s, ok && (s == "" || path.IsAbs(s))
}

func requirement(v json.RawMessage) (Requirement, bool) {
	s, _ := text(v)
	r := Requirement(s)
	return r, slices.Contains([]Requirement{Never, Meshed, Always}, r)
}

// timeout needs no look at the errors: what comes with one is zero, and too
// short.
func timeout(v json.RawMessage) (time.Duration, bool) {
	s, _ := text(v)
	d, _ := time.ParseDuration(s)
	return d, d >= MinTimeout && d <= MaxTimeout
}

// plain is the text of a JSON string, number or boolean, as a flag would
// spell it; v has no white space around it.
func plain(v json.RawMessage) (string, bool) {
	if bytes.ContainsAny(v[:1], "{[n") {
		return "", false
	}
	if s, ok := text(v); ok {
		return s, true
	}
	return string(v), true
}

// Object reads a settings object, flag name to plain value or list of plain
// values, in the order of the names.
func Object(doc json.RawMessage, origin string) ([]builder.Input, []error) {
	fields, ok := typed[map[string]json.RawMessage](doc)
	if !ok {
		return nil, []error{bad(origin, doc, "an object of settings, named like the flags of sluice apply")}
	}
	var out []builder.Input
	var problems []error
	for _, name := range sorted(fields) {
		value, ok := joined(fields[name])
		if !ok {
			problems = append(problems, bad(origin+"."+name, fields[name], "a plain value or a list of them"))
			continue
		}
		out = append(out, builder.Input{Flag: name, Value: value, Origin: origin + "." + name})
	}
	return out, problems
}

// joined is a plain value, or a list of them with commas as flags spell it.
func joined(v json.RawMessage) (string, bool) {
	items, ok := typed[[]json.RawMessage](v)
	if !ok {
		return plain(v)
	}
	var words []string
	for _, item := range items {
		word, ok := plain(item)
		if !ok {
			return "", false
		}
		words = append(words, word)
	}
	return strings.Join(words, ","), true
}

func readStatic(c *Config, name string, v json.RawMessage) {
	sets, problems := Object(v, Origin+name)
	c.Static, c.HasStatic = sets, true
	c.Problems = append(c.Problems, problems...)
}

func readPorts(c *Config, name string, v json.RawMessage) {
	fields, ok := typed[map[string]json.RawMessage](v)
	if !ok {
		c.Problems = append(c.Problems, bad(Origin+name, v, "an object with outbound, inbound and tunnel"))
		return
	}
	flags := map[string]string{"outbound": "envoy-port", "inbound": "inbound-capture-port", "tunnel": "inbound-tunnel-port"}
	for _, field := range sorted(fields) {
		flag, known := flags[field]
		value, ok := plain(fields[field])
		if !known || !ok {
			c.Problems = append(c.Problems, bad(Origin+name+"."+field, fields[field], "outbound, inbound or tunnel with a port number"))
			continue
		}
		c.Settings = append(c.Settings, builder.Input{Flag: flag, Value: value, Origin: Origin + name + "." + field})
	}
}

// readKubernetes reads the object that older configurations of the mesh's
// plugin hold; only the namespaces in it still mean something.
func readKubernetes(c *Config, name string, v json.RawMessage) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(v, &fields); err != nil {
		c.Problems = append(c.Problems, bad(Origin+name, v, "an object"))
		return
	}
	for _, field := range sorted(fields) {
		if field != "exclude_namespaces" {
			c.Warnings = append(c.Warnings, "network config key "+name+"."+field+" is accepted and ignored")
			continue
		}
		one("a list of namespaces", list, func(c *Config, v []string) { c.ExcludeNamespaces = v })(c, name+"."+field, fields[field])
	}
}

// readRuntimeConfig takes the annotations. An empty set says nothing: kubelet
// adds annotations of its own to every pod before its runtime sees them
// (kubernetes.io/config.source, pkg/kubelet/config), so that an empty one is a
// runtime's that knows none, or a constant that somebody wrote into the file,
// under which every pod would pass as unmeshed.
func readRuntimeConfig(c *Config, name string, v json.RawMessage) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(v, &fields); err != nil {
		c.Problems = append(c.Problems, bad(Origin+name, v, "an object"))
		return
	}
	doc, ok := fields[AnnotationsCapability]
	if !ok {
		return
	}
	var annotations map[string]string
	if err := json.Unmarshal(doc, &annotations); err != nil {
		c.Problems = append(c.Problems, bad(Origin+name+"."+AnnotationsCapability, doc, "an object of strings"))
		return
	}
	if len(annotations) == 0 {
		c.Warnings = append(c.Warnings, "network config key "+name+": the annotations are empty, as kubelet never hands them over, and do not count")
		return
	}
	c.Annotations, c.AnnotationsKnown = annotations, true
}

func readPrevResult(c *Config, name string, v json.RawMessage) {
	switch {
	case string(v) == "null":
	case v[0] == '{':
		c.PrevResult = v
	default:
		c.Problems = append(c.Problems, bad(Origin+name, v, "an object"))
	}
}

func sorted(m map[string]json.RawMessage) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
