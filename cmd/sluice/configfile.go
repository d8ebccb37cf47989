package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/internal/align"
)

// configFile are the settings of the file that --config names, YAML or JSON:
// long flag names with plain values or lists.
func (v *values) configFile() []builder.Input {
	if path := v.text("config"); path != "" {
		return v.fileInputs(path)
	}
	return nil
}

// fileInputs are the settings of one configuration file. What is wrong with it
// is among the problems of v then.
func (v *values) fileInputs(path string) []builder.Input {
	text, err := readSmallFile(path)
	if err != nil {
		v.refuse("config", path, err.Error(), "a readable file")
		return nil
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		v.refuse("config", path, oneLine(err), "YAML or JSON")
		return nil
	}
	doc, err := jsonOf(&node)
	if err != nil {
		v.refuse("config", path, err.Error(), "YAML or JSON")
		return nil
	}
	if string(doc) == "null" {
		return nil // remarks only, or nothing
	}
	inputs, errs := netconf.Object(doc, "file "+path)
	for _, err := range errs {
		v.refuseAt("config", err)
	}
	return v.known(path, inputs)
}

// known refuses names that are no settings, and suggests what was meant.
func (v *values) known(path string, inputs []builder.Input) []builder.Input {
	var list []builder.Input
	for _, in := range inputs {
		name := strings.TrimPrefix(in.Origin, "file "+path+".")
		if _, ok := settingNamed(name); ok {
			in.Origin = "file " + path
			list = append(list, in)
			continue
		}
		v.problems = append(v.problems, &builder.Problem{
			Flag: name, Origin: "file " + path, Value: in.Value, Reason: "unknown setting",
			Accepted: "a long flag name of sluice apply, such as " + nearest(name),
		})
	}
	return list
}

func (v *values) refuseAt(flag string, err error) {
	var p *netconf.Problem
	if errors.As(err, &p) {
		v.problems = append(v.problems, &builder.Problem{Flag: flag, Origin: p.Place, Value: p.Value, Reason: "cannot be read", Accepted: p.Accepted})
		return
	}
	v.refuse(flag, "", err.Error(), "a valid file")
}

func settingNamed(flag string) (builder.Setting, bool) {
	for _, s := range builder.Settings() {
		if s.Flag == flag {
			return s, true
		}
	}
	return builder.Setting{}, false
}

// nearest is the setting whose name shares most letters in their order.
func nearest(name string) string {
	best, score := "", -1.0
	for _, s := range builder.Settings() {
		if n := 2 * float64(shared(name, s.Flag)) / float64(len(name)+len(s.Flag)+1); n > score {
			best, score = s.Flag, n
		}
	}
	return best
}

// shared is how many letters both words have in the same order.
func shared(a, b string) int {
	n := 0
	for _, p := range align.Lists(len(a), len(b), func(i, j int) bool { return a[i] == b[j] }) {
		if p.Same() {
			n++
		}
	}
	return n
}

// jsonOf is a YAML node as JSON, which has one form for each value.
func jsonOf(node *yaml.Node) (json.RawMessage, error) {
	var v any
	if err := node.Decode(&v); err != nil {
		return nil, errors.New(oneLine(err))
	}
	return json.Marshal(plainKeys(v))
}

// plainKeys turns keys that YAML reads as numbers or booleans back into text.
func plainKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plainKeys(v[k])
		}
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[fmt.Sprint(k)] = plainKeys(x)
		}
		return m
	case []any:
		for i := range v {
			v[i] = plainKeys(v[i])
		}
	}
	return v
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
