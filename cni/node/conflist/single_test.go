package conflist

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

func TestASingleConfigurationBecomesAListOfTheSameNameAndVersion(t *testing.T) {
	for name, raw := range read(t) {
		if filepath.Ext(name) != ".conf" {
			continue
		}
		s, err := ParseSingle(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		l, err := Parse(s.Wrap())
		if err != nil || l.Name != s.Name || l.Version != s.Version || !slices.Equal(l.Types(), []string{s.Type}) {
			t.Errorf("%s: got %+v, %v; want name %s, version %s, plugin %s", name, l, err, s.Name, s.Version, s.Type)
		}
		if !bytes.Contains(s.Wrap(), bytes.TrimSpace(raw)) {
			t.Errorf("%s: the plugin is not there as it was written:\n%s", name, s.Wrap())
		}
	}
}

func TestTheRuntimesFirstValidFileIsPickedAndTheSkippedOnesAreNamed(t *testing.T) {
	var files []File
	for name, raw := range read(t) {
		files = append(files, File{Name: name, Raw: raw})
	}
	files = append(files, File{Name: "00-broken.conflist", Raw: []byte("{")}, File{Name: "00-old.conflist.bak", Raw: files[0].Raw})
	got, skipped, ok := Pick(files)
	if !ok || got.Name != "05-cilium.conflist" {
		t.Errorf("got %s, %v; want 05-cilium.conflist", got.Name, ok)
	}
	if len(skipped) != 1 || skipped[0].Name != "00-broken.conflist" || !errors.Is(skipped[0].Err, ErrSyntax) {
		t.Errorf("skipped: got %v, want 00-broken.conflist", skipped)
	}
	if got, _, ok := Pick(nil); ok {
		t.Errorf("nothing there: got %v", got.Name)
	}
}

func TestTheListOfASingleConfigurationIsWrittenLikeThis(t *testing.T) {
	for raw, want := range map[string]string{
		` {"name":"n","type":"x"} `: "{\n  \"name\": \"n\",\n  \"plugins\": [\n    {\"name\":\"n\",\"type\":\"x\"}\n  ]\n}\n",
		`{"name":"n","cniVersion":"0.4.0","type":"x"}`: "{\n  \"cniVersion\": \"0.4.0\",\n  \"name\": \"n\",\n  \"plugins\": [\n" +
			"    {\"name\":\"n\",\"cniVersion\":\"0.4.0\",\"type\":\"x\"}\n  ]\n}\n",
	} {
		s, err := ParseSingle([]byte(raw))
		if got := string(s.Wrap()); err != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", raw, got, err, want)
		}
	}
}

func TestASingleConfigurationThatNoRuntimeLoadsIsRefusedWithItsReason(t *testing.T) {
	for raw, want := range map[string]error{
		`{"name":"a","type":"x"}`:                    nil,
		`{"name":"a","plugins":[{"type":"x"}]}`:      ErrNoType,
		`{"name":"a","type":"x"`:                     ErrSyntax,
		`["a"]`:                                      ErrObject,
		`{"type":"x"}`:                               ErrName,
		`{"name":"a/b","type":"x"}`:                  ErrName,
		`{"name":"a","type":"x","cniVersion":1}`:     ErrPlugin,
		`{"name":"a","type":"x","capabilities":"x"}`: ErrPlugin,
	} {
		for _, name := range []string{"a.conf", "a.json"} {
			if got := (File{Name: name, Raw: []byte(raw)}).Check(); !errors.Is(got, want) {
				t.Errorf("%s %s: got %v, want %v", name, raw, got, want)
			}
		}
	}
}

func TestRuntimesLookAtFilesOfThreeKinds(t *testing.T) {
	single := []byte(`{"name":"a","type":"x"}`)
	for name, want := range map[string]bool{"a.conf": true, "a.json": true, "a.conflist": false, "a.conf.bak": false, "conf": false, "a": false, "a.CONF": false} {
		got, skipped, ok := Pick([]File{{Name: name, Raw: single}})
		if ok != want || ok && got.Name != name || len(skipped) > 0 != (name == "a.conflist") {
			t.Errorf("a single configuration in %s: got %v, skipped %v; want %v", name, ok, skipped, want)
		}
	}
}

func TestAnEntryIsAPluginOfOurs(t *testing.T) {
	e, err := NewEntry([]byte("\n {\"type\": \"x\", \"n\": 1}\n"))
	if err != nil || e.Type() != "x" || string(e.Bytes()) != `{"type": "x", "n": 1}` {
		t.Errorf("got %s %q, %v; want x without the white space around it", e.Type(), e.Bytes(), err)
	}
	for raw, want := range map[string]bool{`{"n":1,"type":"x"}`: true, `{"type":"x"}`: false, `{"type":"x","n":1.0}`: false} {
		if got := e.Equal(mustEntry(raw)); got != want {
			t.Errorf("%s equals %s: got %v, want %v", e.Bytes(), raw, got, want)
		}
	}
	for raw, want := range map[string]error{"": ErrSyntax, `{"type":"x"`: ErrSyntax, "null": ErrNoType, `"x"`: ErrNoType, "{}": ErrNoType, `{"type":1}`: ErrNoType} {
		if e, err := NewEntry([]byte(raw)); !errors.Is(err, want) || e.Bytes() != nil {
			t.Errorf("%q: got %q, %v; want %v", raw, e.Bytes(), err, want)
		}
	}
}

func TestAConfigurationOfAMebibyteIsReadAndNoLargerOne(t *testing.T) {
	fill := func(size int) []byte {
		return append([]byte(`{"name":"a","plugins":[{"type":"x"}]}`), bytes.Repeat([]byte(" "), size-37)...)
	}
	if l, err := Parse(fill(1 << 20)); err != nil || len(l.Bytes()) != 1<<20 {
		t.Errorf("1048576 bytes: got %v, want them read", err)
	}
	if _, err := Parse(fill(1<<20 + 1)); err == nil || err.Error() != "larger than 1048576 bytes" {
		t.Errorf("1048577 bytes: got %v, want them refused as larger than 1048576 bytes", err)
	}
}

func TestOnlyVersionsThatChainAreChained(t *testing.T) {
	for version, want := range map[string]bool{"": false, "0.1.0": false, "0.2.0": false, "0.3.0": true, "0.4.0": true, "1.1.0": true, "0.3": true, "0.2": false, "1": true, "2.0.0": true, "x": false, "1.0.0.0": false} {
		if got := Chained(version); got != want {
			t.Errorf("Chained(%q): got %v, want %v", version, got, want)
		}
	}
}

func FuzzSingle(f *testing.F) {
	for _, raw := range read(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseSingle(raw)
		if err != nil {
			return
		}
		l, err := Parse(s.Wrap())
		if err != nil || l.Name != s.Name || l.Version != s.Version || !slices.Equal(l.Types(), []string{s.Type}) {
			t.Fatalf("%q wrapped: %v\n%s", raw, err, s.Wrap())
		}
	})
}
