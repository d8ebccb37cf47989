package netconf

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	cnitypes "github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/sluicemesh/sluice/builder"
)

// values are JSON values of every kind, and some that are hard to copy.
var values = []string{
	`null`, `true`, `false`, `0`, `-1`, `15001`, `9007199254740993`, `1e3`, `0.50`, `""`, `" "`, `"a"`, `"1.1.0"`, `"a\"b"`, `"\u00e9\ud83d\ude00"`,
	`"a,b"`, `"null"`, `[]`, `[1,"b",true]`, `["a","b"]`, `[[]]`, `[{}]`, `[null]`, `[1,null]`, `{}`, `{"a":"b"}`, `{"a":{"b":[1]}}`, `{"a":1}`,
}

func TestCNIArgsReadAsTheCNIProjectReadsThem(t *testing.T) {
	type reference struct {
		cnitypes.CommonArgs
		K8S_POD_NAMESPACE, K8S_POD_NAME, K8S_POD_UID, K8S_POD_INFRA_CONTAINER_ID, SLUICE_CONFIG *cnitypes.UnmarshallableString
	}
	names := []string{"K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID", "K8S_POD_INFRA_CONTAINER_ID", "SLUICE_CONFIG", "K8S_POD", "X"}
	text := func(s *cnitypes.UnmarshallableString) string {
		if s == nil {
			return ""
		}
		return string(*s)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		items := []string{"IgnoreUnknown=1"}
		for range random.IntN(6) {
			items = append(items, names[random.IntN(len(names))]+"="+[]string{"", "a", "b c", "é"}[random.IntN(4)])
		}
		doc := strings.Join(items, ";")
		var r reference
		if err := cnitypes.LoadArgs(doc, &r); err != nil {
			t.Fatalf("%q: the CNI project refuses it: %v", doc, err)
		}
		want := Args{text(r.K8S_POD_NAMESPACE), text(r.K8S_POD_NAME), text(r.K8S_POD_UID), text(r.K8S_POD_INFRA_CONTAINER_ID), text(r.SLUICE_CONFIG), r.SLUICE_CONFIG != nil}
		if got, err := ParseArgs(doc); err != nil || got != want {
			t.Errorf("%q:\ngot  %+v, %v\nwant %+v", doc, got, err, want)
		}
	}
}

func TestTheStandardFieldsReadAsTheCNIProjectReadsThem(t *testing.T) {
	compared := 0
	for _, v := range values {
		for _, name := range []string{"cniVersion", "name", "type", "prevResult", "capabilities", "ipam", "dns"} {
			doc := fmt.Sprintf(`{"cniVersion":"0.4.0","name":"net","type":"x", %q : %s }`, name, v)
			var want cnitypes.PluginConf
			if json.Unmarshal([]byte(doc), &want) != nil {
				continue
			}
			got := parse(t, doc)
			if v != "null" && (got.CNIVersion != want.CNIVersion || got.Name != want.Name || got.Type != want.Type) {
				t.Errorf("%s:\ngot  %s %s %s\nwant %s %s %s", doc, got.CNIVersion, got.Name, got.Type, want.CNIVersion, want.Name, want.Type)
			}
			if g, w := encoded(decoded[map[string]any](t, got.PrevResult)), encoded(want.RawPrevResult); g != w {
				t.Errorf("%s: previous result: got %s, want %s", doc, g, w)
			}
			compared++
		}
	}
	if compared < 40 {
		t.Errorf("compared %d documents, want at least 40", compared)
	}
}

func encoded(v any) string {
	doc, err := json.Marshal(v)
	return fmt.Sprint(string(doc), err)
}

// decoded reads JSON; what is empty is the zero value.
func decoded[T any](t *testing.T, doc []byte) (v T) {
	t.Helper()
	if len(doc) == 0 {
		return v
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return v
}

func TestNoKeyOfTheCNIProjectIsAWarning(t *testing.T) {
	names := []string{ // conventions, and what a list says to the runtime
		"args", "runtimeConfig", "ipMasq", "cniVersions", "loadOnlyInlinedPlugins", "cni.dev/attachments",
	}
	for _, of := range []any{cnitypes.PluginConf{}, cnitypes.NetConfList{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" && name != "plugins" {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		if c := parse(t, fmt.Sprintf(`{%q:{}}`, name)); len(c.Warnings) > 0 {
			t.Errorf("%s: got %q, want no warning", name, c.Warnings)
		}
	}
}

func TestTheKeysThatRuntimesInjectAreKnownAndInOrder(t *testing.T) {
	for _, name := range Injected() {
		if !Known(name) {
			t.Errorf("%s is injected and not known: every container would have a warning", name)
		}
	}
	want := "args cni.dev/attachments cni.dev/valid-attachments cniVersion cniVersions name prevResult runtimeConfig"
	if got := strings.Join(Injected(), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheKeysThatTheCNIProjectInjectsAreInjected(t *testing.T) {
	spy := &spy{}
	cni := libcni.NewCNIConfigWithCacheDir([]string{"/nowhere"}, t.TempDir(), spy)
	list, err := libcni.NetworkConfFromBytes([]byte(`{"cniVersion":"1.1.0","name":"n","plugins":[{"type":"p","capabilities":{"x":true}},{"type":"p"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rt := &libcni.RuntimeConf{ContainerID: "c", NetNS: "/n", IfName: "eth0", CapabilityArgs: map[string]any{"x": 1}}
	if _, err := cni.AddNetworkList(t.Context(), list, rt); err != nil {
		t.Fatal(err)
	}
	if err := cni.GCNetworkList(t.Context(), list, &libcni.GCArgs{}); err != nil {
		t.Fatal(err)
	}
	for _, call := range spy.stdin {
		for name := range decoded[map[string]any](t, call) {
			if name != "type" && name != "capabilities" && !slices.Contains(Injected(), name) {
				t.Errorf("libcni injects %s, which is not in %q", name, Injected())
			}
			spy.seen = append(spy.seen, name)
		}
	}
	for _, name := range []string{"name", "cniVersion", "prevResult", "runtimeConfig", "cni.dev/valid-attachments"} {
		if !slices.Contains(spy.seen, name) {
			t.Errorf("libcni did not inject %s: the test looks at too little", name)
		}
	}
}

// spy is a plugin that keeps what it is given.
type spy struct {
	stdin [][]byte
	seen  []string
}

func (s *spy) ExecPlugin(_ context.Context, _ string, stdin []byte, _ []string) ([]byte, error) {
	s.stdin = append(s.stdin, stdin)
	return []byte(`{"cniVersion":"1.1.0"}`), nil
}

func (*spy) FindInPath(plugin string, _ []string) (string, error) { return plugin, nil }

func (*spy) Decode([]byte) (version.PluginInfo, error) { return version.PluginSupports("1.1.0"), nil }

func TestEverySettingReadsAsTheTextOfItsJSONValue(t *testing.T) {
	for _, v := range values {
		doc := fmt.Sprintf(`{"proxy-uid": %s }`, v)
		want, plain := flagText(decoded[any](t, []byte(v)), true)
		sets, problems := Object([]byte(doc), "here")
		if !plain {
			if want := "[here.proxy-uid: " + v + " is not accepted (want a plain value or a list of them)]"; len(sets) > 0 || fmt.Sprint(problems) != want {
				t.Errorf("%s:\ngot  %v, %v\nwant %s", doc, sets, problems, want)
			}
			continue
		}
		if in := (builder.Input{Flag: "proxy-uid", Value: want, Origin: "here.proxy-uid"}); len(problems) > 0 || fmt.Sprint(sets) != fmt.Sprint([]builder.Input{in}) {
			t.Errorf("%s:\ngot  %v, %v\nwant %v", doc, sets, problems, in)
		}
	}
}

// flagText spells a decoded value as a flag would, a list with commas.
func flagText(v any, lists bool) (string, bool) {
	switch v := v.(type) {
	case []any:
		var words []string
		for _, item := range v {
			word, ok := flagText(item, false)
			if !ok {
				return "", false
			}
			words = append(words, word)
		}
		return strings.Join(words, ","), lists
	case nil, map[string]any:
		return "", false
	}
	return fmt.Sprint(v), true
}
