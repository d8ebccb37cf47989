package archive

import (
	"bytes"
	"io/fs"
	"reflect"
	"testing"
	"time"
)

func TestATreeReadsBackAsItWasWritten(t *testing.T) {
	want := Tree{}
	want.File("/usr/bin/x", 0o755, []byte("program"))
	want.File("etc/passwd", 0o644, []byte("root"))
	want.Link("usr/bin/y", "x")
	raw, err := want.Tar(time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(raw), func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParentsStandBeforeWhatIsInThem(t *testing.T) {
	tree := Tree{"a/b/c": {Body: []byte("x")}, "d": {Mode: fs.ModeDir}}
	if got, want := tree.names(), []string{"a", "a/b", "a/b/c", "d"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheSameContentGivesTheSameDigestAndOtherContentAnother(t *testing.T) {
	digest := func(body string) string {
		tree := Tree{}
		tree.File("a", 0o644, []byte(body))
		tree.File("b", 0o644, nil)
		var out bytes.Buffer
		d, err := Write(&out, "example.com/x", "1", time.Unix(1, 0), []Image{{Arch: "amd64", Layers: []Layer{{Tree: tree}}}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if a, b, c := digest("1"), digest("1"), digest("2"); a != b || a == c {
		t.Errorf("got %s, %s for the same and %s for another, want two equal and one not", a, b, c)
	}
}
