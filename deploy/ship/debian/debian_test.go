package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/deploy/ship/archive"
)

func TestALockLineNeedsFourWords(t *testing.T) {
	got, err := ParseLock("# comment\namd64 iptables 1.8.9-2 abc # why\n\n")
	if err != nil || len(got) != 1 || got[0].String() != "amd64 iptables 1.8.9-2 abc" {
		t.Errorf("got %v, %v; want one package", got, err)
	}
	if _, err := ParseLock("amd64 iptables"); err == nil {
		t.Error("two words: accepted, want an error")
	}
}

func TestACachedPackageThatIsNotTheLockedOneIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	p := Package{Arch: "amd64", Name: "x", Version: "1:2-3", SHA256: strings.Repeat("0", 64)}
	if err := os.WriteFile(filepath.Join(dir, "x_1%3a2-3_amd64.deb"), []byte("tampered"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "") // no apt to fetch another
	if paths, err := (Archive{Dir: dir, Arch: "amd64"}).Fetch([]Package{p}); err == nil {
		t.Errorf("got %v, want an error", paths)
	}
	p.SHA256 = sum(filepath.Join(dir, "x_1%3a2-3_amd64.deb"))
	if _, err := (Archive{Dir: dir, Arch: "amd64"}).Fetch([]Package{p}); err != nil {
		t.Errorf("the locked one in the cache: %v, want no download", err)
	}
}

func TestWhatIsPickedBringsWhatItIsLinkedTo(t *testing.T) {
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	all := archive.Tree{}
	all.File("bin/sh", 0o755, shell)
	all.Link("bin/ash", "sh")
	all.File("bin/other", 0o755, nil)
	wanted := func(name string) bool { return name == "bin/ash" }
	if _, err := Pick(all, wanted); err == nil || !strings.Contains(err.Error(), "libc.so.6") {
		t.Errorf("without a C library: got error %v, want one that names it", err)
	}
	for _, lib := range []string{"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"} {
		all.File("lib/"+lib, 0o755, nil)
	}
	got, err := Pick(all, wanted)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin/ash", "bin/sh", "lib/libc.so.6"} {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is not picked", name)
		}
	}
	if _, ok := got["bin/other"]; ok {
		t.Error("bin/other is picked, nothing needs it")
	}
}
