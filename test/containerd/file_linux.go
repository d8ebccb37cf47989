package containerd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// File is one file of an image.
type File struct {
	Path string // in the image
	From string // on this machine
	Link string // or: what a symbolic link points to
	// Caps is the security.capability attribute, as setcap would write it;
	// empty is none.
	Caps string
}

// Programs are files at the top of an image, under their own names.
func Programs(files ...string) []File {
	var out []File
	for _, f := range files {
		out = append(out, File{Path: "/" + filepath.Base(f), From: f})
	}
	return out
}

// Iptables are this machine's iptables of both flavours with all they load, as
// an image that installs the package would have them: nft under the plain name.
func Iptables(t testing.TB) []File {
	t.Helper()
	var out []File
	for _, flavour := range []string{"nft", "legacy"} {
		multi := "/usr/sbin/xtables-" + flavour + "-multi"
		out = append(out, withLibraries(t, multi)...)
		for _, family := range []string{"iptables", "ip6tables"} {
			for _, verb := range []string{"", "-save", "-restore"} {
				out = append(out, File{Path: "/usr/sbin/" + family + "-" + flavour + verb, Link: multi})
				if flavour == "nft" {
					out = append(out, File{Path: "/usr/sbin/" + family + verb, Link: multi})
				}
			}
		}
	}
	return append(out, extensions(t)...)
}

// withLibraries is a dynamic program and what the loader finds for it.
func withLibraries(t testing.TB, program string) []File {
	t.Helper()
	out := []File{{Path: program, From: program}}
	text, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	for line := range strings.Lines(string(text)) {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "/") {
				out = append(out, File{Path: word, From: word})
			}
		}
	}
	return out
}

// extensions are the matches and targets that iptables loads by name.
func extensions(t testing.TB) []File {
	t.Helper()
	var out []File
	found, err := filepath.Glob("/usr/lib/*/xtables/*.so")
	if err != nil || len(found) == 0 {
		t.Fatalf("no extensions of iptables on this machine: %v", err)
	}
	for _, f := range found {
		// Links between them (libxt_NOTRACK → libxt_CT) become files.
		if _, err := os.Stat(f); err == nil {
			out = append(out, File{Path: f, From: f})
		}
	}
	return out
}
