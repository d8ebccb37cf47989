package conflist

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const corpus = "../../../testdata/conflists"

var ours = mustEntry(`{"type": "sluice-cni", "capabilities": {"io.kubernetes.cri.pod-annotations": true}}`)

func mustEntry(raw string) Entry {
	e, err := NewEntry([]byte(raw))
	if err != nil {
		panic(err)
	}
	return e
}

// read gives every file of the corpus by name.
func read(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(corpus + "/*")
	if err != nil || len(paths) < 10 {
		t.Fatalf("corpus: got %d files, %v; want at least 10", len(paths), err)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = raw
	}
	return files
}

func TestEveryListOfTheCorpusGainsOurEntryLastAndNothingElseChanges(t *testing.T) {
	lists := 0
	for name, raw := range read(t) {
		l, err := Parse(raw)
		if !IsList(name) || strings.HasPrefix(name, "broken-") {
			continue
		}
		lists++
		if err != nil {
			t.Errorf("%s: got %v, want a list", name, err)
			continue
		}
		edited := l.With(ours)
		at := bytes.Index(edited, ours.Bytes())
		before, after := edited[:max(at, 0)], edited[at+len(ours.Bytes()):]
		if at < 0 || !bytes.HasPrefix(raw, bytes.TrimRight(before, ", \t\n")) || !bytes.HasSuffix(raw, after) {
			t.Errorf("%s: bytes around the entry changed:\n%s", name, edited)
		}
		again, err := Parse(edited)
		if err != nil || again.State(ours) != Installed {
			t.Fatalf("%s: after the edit: got %v, %v; want %s", name, again.State(ours), err, Installed)
		}
		if got := again.Without(ours.Type()); !bytes.Equal(got, raw) {
			t.Errorf("%s: taken out again: got\n%s\nwant\n%s", name, got, raw)
		}
		if got := again.Types(); !slices.Equal(got, append(l.Types(), "sluice-cni")) {
			t.Errorf("%s: got plugins %v, want %v and ours", name, got, l.Types())
		}
	}
	if lists < 5 {
		t.Errorf("saw %d lists, want at least 5", lists)
	}
}

func TestOurEntryLooksLikeItsNeighbours(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{\"name\":\"a\",\"plugins\":[\n\t{\"type\":\"x\"}\n]}", "{\"name\":\"a\",\"plugins\":[\n\t{\"type\":\"x\"},\n\tOURS\n]}"},
		{`{"name":"a","plugins":[{"type":"x"},{"type":"y"}]}`, `{"name":"a","plugins":[{"type":"x"},{"type":"y"},OURS]}`},
		{`{"name":"a","plugins":[{"type":"x"} , {"type":"y"} ]}`, `{"name":"a","plugins":[{"type":"x"} , {"type":"y"}, OURS ]}`},
		{"{\r\n\"name\":\"a\",\"plugins\":[\r\n{\"type\":\"x\"}]}", "{\r\n\"name\":\"a\",\"plugins\":[\r\n{\"type\":\"x\"},\r\nOURS]}"},
	} {
		l, err := Parse([]byte(tt.in))
		want := strings.ReplaceAll(tt.want, "OURS", string(ours.Bytes()))
		if got := string(l.With(ours)); err != nil || got != want {
			t.Errorf("got  %q\nwant %q (%v)", got, want, err)
		}
	}
}

func TestTheWholeEntryAndItsPlaceAreCompared(t *testing.T) {
	const a, b = `{"type":"x"}`, `{"type":"y","n":9007199254740993}`
	mine := string(ours.Bytes())
	const other = `{"type":"sluice-cni","log_level":"debug"}`
	const reordered = `{"capabilities":{"io.kubernetes.cri.pod-annotations":true},"type":"sluice-cni"}`
	for _, tt := range []struct {
		name    string
		plugins []string
		state   State
		want    []string
		without []string
	}{
		{"absent", []string{a, b}, Absent, []string{a, b, mine}, []string{a, b}},
		{"installed", []string{a, mine}, Installed, []string{a, mine}, []string{a}},
		{"installed, keys in another order", []string{a, reordered}, Installed, []string{a, reordered}, []string{a}},
		{"stale settings", []string{a, other}, Stale, []string{a, mine}, []string{a}},
		{"first", []string{mine, a, b}, Misplaced, []string{a, b, mine}, []string{a, b}},
		{"in the middle", []string{a, mine, b}, Misplaced, []string{a, b, mine}, []string{a, b}},
		{"twice at the end", []string{a, mine, mine}, Repeated, []string{a, mine}, []string{a}},
		{"first, middle and last", []string{mine, mine, a, other, b, mine}, Repeated, []string{a, b, mine}, []string{a, b}},
		{"stale, in its own white space", []string{a, "  " + other + " "}, Stale, []string{a, "  " + mine + " "}, []string{a + " "}},
		{"another number than a float tells apart", []string{a, `{"type":"sluice-cni","n":9007199254740993}`}, Stale, []string{a, mine}, []string{a}},
		{"nothing but ours", []string{other, mine}, Repeated, []string{mine}, []string{}},
	} {
		l, err := Parse(list(tt.plugins))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := l.State(ours); got != tt.state {
			t.Errorf("%s: state: got %s, want %s", tt.name, got, tt.state)
		}
		if got := l.With(ours); !bytes.Equal(got, list(tt.want)) {
			t.Errorf("%s: with: got\n%s\nwant\n%s", tt.name, got, list(tt.want))
		}
		if got := l.Without("sluice-cni"); !bytes.Equal(got, list(tt.without)) {
			t.Errorf("%s: without: got\n%s\nwant\n%s", tt.name, got, list(tt.without))
		}
	}
}

func list(plugins []string) []byte {
	return []byte(`{ "name": "net", "cniVersion": "1.0.0", "plugins": [` + strings.Join(plugins, ",") + "] }")
}

func TestWhatNoRuntimeLoadsIsRefusedWithItsReason(t *testing.T) {
	files := read(t)
	for name, want := range map[string]error{
		"broken-array.conflist":     ErrObject,
		"broken-empty.conflist":     ErrSyntax,
		"broken-noplugins.conflist": ErrNoPlugins,
		"broken-truncated.conflist": ErrSyntax,
	} {
		if got := (File{Name: name, Raw: files[name]}).Check(); !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	for raw, want := range map[string]error{
		`{"plugins":[{"type":"x"}]}`:                                    ErrName,
		`{"name":"../../etc","plugins":[{"type":"x"}]}`:                 ErrName,
		`{"name":7,"plugins":[{"type":"x"}]}`:                           ErrName,
		`{"name":"a","cniVersion":1,"plugins":[{"type":"x"}]}`:          ErrVersion,
		`{"name":"a","plugins":[]}`:                                     ErrNoPlugins,
		`{"name":"a","plugins":{}}`:                                     ErrPlugins,
		`{"name":"a","plugins":["x"]}`:                                  ErrPlugins,
		`{"name":"a","plugins":[{}]}`:                                   ErrPlugins,
		`{"name":"a","plugins":[{"type":"x","capabilities":["x"]}]}`:    ErrPlugins,
		`{"name":"a","cniVersions":"1.0.0","plugins":[{"type":"x"}]}`:   ErrVersion,
		`{"name":"a","disableGC":"no","plugins":[{"type":"x"}]}`:        ErrFlag,
		`{"name":"a","loadOnlyInlinedPlugins":true}`:                    ErrNoPlugins,
		`{"name":"a","plugins":[{"type":"x"}]} {}`:                      ErrSyntax,
		`{"name":"a"` + strings.Repeat(" ", MaxSize) + `,"plugins":[]}`: ErrSize,
	} {
		if got := (File{Name: "a.conflist", Raw: []byte(raw)}).Check(); !errors.Is(got, want) {
			t.Errorf("%.60s: got %v, want %v", raw, got, want)
		}
	}
}

func TestAListWithoutPluginsLoadsOnlyWithADropInFolder(t *testing.T) {
	f := File{Name: "a.conflist", Raw: []byte(`{"name":"a","cniVersion":"1.1.0"}`)}
	if err := f.Check(); !errors.Is(err, ErrNoPlugins) {
		t.Errorf("alone: got %v, want %v", err, ErrNoPlugins)
	}
	if l, err := Parse(f.Raw); err != nil || !bytes.Equal(l.With(ours), f.Raw) {
		t.Errorf("got %s, %v; want the file as it was: there is nothing to stand behind", l.With(ours), err)
	}
	f.DropIns = []string{"10-x.conf"}
	if err := f.Check(); err != nil {
		t.Errorf("with a drop-in: got %v, want nil", err)
	}
}

func TestOfAKeyThatStandsTwiceTheLastCountsAsInTheRuntimes(t *testing.T) {
	raw := `{"name":"a","plugins":[{"type":"x"}],"name":"b","plug\u0069ns":[{"type":"y"}]}`
	l, err := Parse([]byte(raw))
	if err != nil || l.Name != "b" || !slices.Equal(l.Types(), []string{"y"}) {
		t.Fatalf("got %s %v, %v; want b [y]", l.Name, l.Types(), err)
	}
	var seen struct{ Plugins []struct{ Type string } }
	if err := json.Unmarshal(l.With(ours), &seen); err != nil || len(seen.Plugins) != 2 {
		t.Errorf("a reader sees %v, %v; want y and ours", seen.Plugins, err)
	}
}

func TestAnOwnedListDoesTheSameAndNamesItsSource(t *testing.T) {
	raw := read(t)["10-calico.conflist"]
	l, _ := Parse(raw)
	owned, err := Parse(l.Owned("10-calico.conflist"))
	if err != nil || owned.Source != "10-calico.conflist" || owned.Name != l.Name || !slices.Equal(owned.Types(), l.Types()) {
		t.Errorf("got %+v, %v; want the plugins of calico and its file's name", owned, err)
	}
	if !bytes.HasSuffix(owned.Bytes(), raw[1:]) {
		t.Errorf("the source's bytes are not there:\n%s", owned.Bytes())
	}
}

func FuzzEdit(f *testing.F) {
	for _, raw := range read(f) {
		f.Add(raw)
		if l, err := Parse(raw); err == nil && len(l.plugins) > 0 {
			f.Add(l.With(ours))
			f.Add(slices.Concat(l.raw[:l.array+1], ours.raw, []byte(","), l.raw[l.array+1:]))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := Parse(raw)
		if err != nil || len(l.plugins) == 0 {
			return
		}
		edited := l.With(ours)
		again, err := Parse(edited)
		if err != nil || again.State(ours) != Installed {
			t.Fatalf("%q\nbecame %q: %v", raw, edited, err)
		}
		if got := again.With(ours); !bytes.Equal(got, edited) {
			t.Fatalf("the second edit of %q gave %q", edited, got)
		}
		bare := l.Without(ours.Type())
		if got := again.Without(ours.Type()); !bytes.Equal(got, bare) {
			t.Fatalf("taken out: got %q, want %q", got, bare)
		}
		if l.State(ours) == Absent && !bytes.Equal(bare, raw) {
			t.Fatalf("%q changed to %q though nothing of ours was there", raw, bare)
		}
		if !json.Valid(bare) {
			t.Fatalf("%q without ours is not JSON: %q", raw, bare)
		}
	})
}
