// Package debian takes programs and the libraries that they need out of Debian
// packages, for images that have no distribution in them. Packages are pinned
// by checksum in a lock file; apt verifies the archive's signatures, and what
// is cached is verified against the lock and needs no network.
package debian

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Package is one line of the lock: what is taken, and the hash of its file.
type Package struct {
	Arch, Name, Version, SHA256 string
}

func (p Package) String() string {
	return strings.Join([]string{p.Arch, p.Name, p.Version, p.SHA256}, " ")
}

// file is the name that apt gives a downloaded package; it escapes the epoch.
func (p Package) file() string {
	return p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Arch + ".deb"
}

// ParseLock reads a lock: four words a line, # begins a comment.
func ParseLock(text string) ([]Package, error) {
	var list []Package
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		switch f := strings.Fields(line); len(f) {
		case 0:
		case 4:
			list = append(list, Package{f[0], f[1], f[2], f[3]})
		default:
			return nil, fmt.Errorf("lock line %q: want architecture, name, version and SHA-256", strings.TrimSpace(line))
		}
	}
	return list, nil
}

// Archive is the Debian archive as apt sees it for one architecture, whatever
// the machine's own. Its state is below Dir and nowhere else.
type Archive struct {
	Dir  string // absolute
	Arch string
}

// sources are the suite that the iptables backends were measured with.
const sources = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
`

// Fetch returns the paths of packages' files in the cache, in their order. What
// is not there is downloaded. A file that is not what the lock says is an error.
func (a Archive) Fetch(packages []Package) ([]string, error) {
	var missing []string
	for _, p := range packages {
		if sum(a.path(p)) != p.SHA256 {
			missing = append(missing, p.Name+"="+p.Version)
		}
	}
	if err := a.download(missing); err != nil {
		return nil, err
	}
	var paths []string
	for _, p := range packages {
		if got := sum(a.path(p)); got != p.SHA256 {
			return nil, fmt.Errorf("%s: SHA-256 is %s, the lock wants %s", a.path(p), got, p.SHA256)
		}
		paths = append(paths, a.path(p))
	}
	return paths, nil
}

func (a Archive) path(p Package) string { return filepath.Join(a.Dir, p.file()) }

func (a Archive) download(packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	if err := a.update(); err != nil {
		return err
	}
	if _, err := a.apt(append([]string{"download"}, packages...)...); err != nil {
		return fmt.Errorf("%w\nThe archive keeps only the newest version: if it moved on, run 'make image-lock' and review the change", err)
	}
	return nil
}

// Newest resolves names to what the archive has now, for a new lock.
func (a Archive) Newest(names []string) ([]Package, error) {
	if err := a.update(); err != nil {
		return nil, err
	}
	out, err := a.apt(append([]string{"--print-uris", "download"}, names...)...)
	if err != nil {
		return nil, err
	}
	var list []Package
	for line := range strings.Lines(out) { // 'URI' NAME_VERSION_ARCH.deb SIZE SHA256:HEX
		f := strings.Fields(line)
		if len(f) != 4 {
			continue
		}
		part := strings.Split(strings.TrimSuffix(f[1], ".deb"), "_")
		list = append(list, Package{a.Arch, part[0], strings.ReplaceAll(part[1], "%3a", ":"), strings.TrimPrefix(f[3], "SHA256:")})
	}
	if len(list) != len(names) {
		return nil, fmt.Errorf("apt named %d of %d packages:\n%s", len(list), len(names), out)
	}
	return list, nil
}

// update reads the archive's index, which apt verifies.
func (a Archive) update() error {
	for _, dir := range []string{"apt/state/lists/partial", "apt/cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	list := filepath.Join(a.Dir, "apt/sources.list")
	if err := os.WriteFile(list, []byte(sources), 0o644); err != nil {
		return err
	}
	_, err := a.apt("update", "-qq")
	return err
}

func (a Archive) apt(args ...string) (string, error) {
	root := filepath.Join(a.Dir, "apt")
	options := []string{
		"-qq", "-o", "APT::Architecture=" + a.Arch, "-o", "APT::Architectures=" + a.Arch, "-o", "APT::Sandbox::User=",
		"-o", "Dir::State=" + root + "/state", "-o", "Dir::State::status=/dev/null", "-o", "Dir::Cache=" + root + "/cache",
		"-o", "Dir::Etc::sourcelist=" + root + "/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
	}
	cmd := exec.Command("apt-get", append(options, args...)...)
	cmd.Dir = a.Dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("apt-get %s (%s): %w\n%s", strings.Join(args, " "), a.Arch, err, stderr.String())
	}
	return string(out), nil
}

func sum(path string) string {
	body, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(body))
}
