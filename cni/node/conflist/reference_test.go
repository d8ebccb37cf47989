package conflist

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
)

// asTheRuntimes compares the reading of a list with that of the library that
// runtimes use. Only names that fail at the first pod, and size, are ours to
// refuse.
func asTheRuntimes(t *testing.T, raw []byte) (accepted bool) {
	t.Helper()
	l, err := Parse(raw)
	got := fmt.Sprint(l.Name, " ", l.Version, " ", l.Types(), " ", l.Inlined)
	ref, refused := libcni.NetworkConfFromBytes(raw)
	switch {
	case refused != nil && err == nil:
		t.Errorf("%s\nwas read as %s\nbut runtimes refuse it: %v", raw, got, refused)
	case refused != nil || len(raw) > MaxSize || !names.MatchString(ref.Name):
	case err != nil:
		t.Errorf("%s\nwas refused: %v\nbut runtimes read it", raw, err)
	default:
		types := []string{}
		for _, p := range ref.Plugins {
			types = append(types, p.Network.Type)
		}
		if want := fmt.Sprint(ref.Name, " ", ref.CNIVersion, " ", types, " ", ref.LoadOnlyInlinedPlugins); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", raw, got, want)
		}
		return true
	}
	return false
}

func TestListsReadAsTheRuntimesReadThem(t *testing.T) {
	values := []string{
		`null`, `true`, `false`, `0`, `1e999`, `""`, `"x"`, `"true"`, `"True"`, `"FALSE"`, `"0.3.1"`, `"1.1.0"`, `"9.0.0"`, `"tru\u0065"`, `{}`,
		`[]`, `[null]`, `[1]`, `["1.0.0"]`, `["1.0.0","1.1.0","0.4.0"]`, `["0.3.1","9.1.0"]`, `["1.0"]`, `["0.9"]`, `["0.0.9"]`, `["1"]`, `["1.1.1"]`, `["1.0.0.0"]`, `["a.0.0"]`, `[""]`,
		`["0.4.0",null]`, `[{}]`, `["x"]`, `[[]]`, `[{"type":1}]`, `[{"type":"x"}]`, `[{"type":"x"},{"type":"y"}]`, `[{"type":"x"},{"type":""}]`,
		`[{"Type":"x"}]`, `[{"type":"x","capabilities":[]}]`, `[{"type":"x","name":3}]`, `[{"type":"x","dns":{"domain":1}}]`, `[{"type":"x","ipam":{"type":"y"}}]`,
		`[{"type":"x"} ,null]`, `{"type":"x"}`, `[{"type":"x","n":1e999}]`,
	}
	keys := []string{"name", "cniVersion", "cniVersions", "disableCheck", "disableGC", "loadOnlyInlinedPlugins", "plugins", "more"}
	accepted, refused := 0, 0
	for _, key := range keys {
		for _, v := range values {
			for _, rest := range []string{`"name":"n"`, `"name":"n","plugins":[{"type":"z"}]`, `"name":"n","cniVersion":"1.0.0","plugins":[{"type":"z"}]`, `"plugins":[{"type":"z"}]`} {
				if asTheRuntimes(t, fmt.Appendf(nil, `{%s, %q : %s }`, rest, key, v)) {
					accepted++
				} else {
					refused++
				}
			}
		}
	}
	if accepted < 250 || refused < 250 {
		t.Errorf("%d accepted, %d refused; want at least 250 of both", accepted, refused)
	}
}

func TestTextsThatAreNoObjectAreRefusedAsByTheRuntimes(t *testing.T) {
	for _, raw := range []string{
		"", " ", "null", "[]", `"x"`, "{", "{}}", `{"name":"n"}{}`, `{"name":"n",}`, `{name:"n"}`, `{"name":"n" "plugins":[]}`, `{"name":"n","plugins":[{"type":"x"}`,
		`{"name":"n","plugins":[{"type":"x"},]}`, "\ufeff{\"name\":\"n\"}", `{"name":"n","deep":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`,
	} {
		if asTheRuntimes(t, []byte(raw)) {
			t.Errorf("%.40s: got a list, want it refused", raw)
		}
	}
}

func TestEveryListOfTheCorpusReadsAsInTheRuntimes(t *testing.T) {
	accepted := 0
	for _, raw := range read(t) {
		if asTheRuntimes(t, raw) {
			accepted++
		}
	}
	if accepted < 5 {
		t.Errorf("%d lists were read, want at least 5", accepted)
	}
}

func TestASingleConfigurationReadsAsTheRuntimesReadIt(t *testing.T) {
	for _, v := range []string{`null`, `"x"`, `1`, `{}`, `[]`, `true`, `""`, `{"type":"x"}`, `{"a":true}`, `1e999`} {
		for key, rest := range map[string]string{
			"name": `"type":"t","cniVersion":"0.4.0"`, "TYPE": `"name":"n"`, "type": `"name":"n"`, "cniversion": `"name":"n","type":"t"`, "cniVersion": `"type":"t","name":"n"`,
			"capabilities": `"name":"n","type":"t"`, "dns": `"name":"n","type":"t"`, "ipam": `"name":"n","type":"t"`, "prevResult": `"name":"n","type":"t"`, "more": `"name":"n","type":"t"`,
		} {
			raw := fmt.Appendf(nil, ` {%s, %q : %s } `, rest, key, v)
			s, err := ParseSingle(raw)
			conf, refused := libcni.NetworkPluginConfFromBytes(raw)
			var ref *libcni.NetworkConfigList
			if refused == nil {
				ref, refused = libcni.ConfListFromConf(conf) //nolint:staticcheck // runtimes still read single configurations by it
			}
			if refused != nil || !names.MatchString(ref.Name) {
				if err == nil {
					t.Errorf("%s\nwas read as %+v\nbut runtimes refuse it: %v", raw, s, refused)
				}
				continue
			}
			if err != nil || s.Name != ref.Name || s.Version != ref.CNIVersion || s.Type != ref.Plugins[0].Network.Type {
				t.Errorf("%s\ngot  %s %s %s, %v\nwant %s %s %s", raw, s.Name, s.Version, s.Type, err, ref.Name, ref.CNIVersion, ref.Plugins[0].Network.Type)
			}
		}
	}
}

func FuzzList(f *testing.F) {
	for _, raw := range read(f) {
		f.Add(raw)
	}
	f.Add([]byte(`{"name":"n","cniVersions":["1.0.0","0.3.1"],"loadOnlyInlinedPlugins":"true","disableGC":false,"plugins":[{"type":"x","dns":{"search":[]}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		asTheRuntimes(t, slices.Clone(raw))
	})
}
