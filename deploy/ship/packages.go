package main

import (
	_ "embed"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicemesh/sluice/deploy/ship/archive"
	"github.com/sluicemesh/sluice/deploy/ship/debian"
	"github.com/sluicemesh/sluice/deploy/ship/licence"
	"github.com/sluicemesh/sluice/deploy/ship/sbom"
)

//go:embed debian.lock
var lockText string

// packageNames are those whose files the iptables programs are made of. What
// they are linked to is checked: a library that is missing here fails the build.
func packageNames() []string {
	return []string{"iptables", "libc6", "libip4tc2", "libip6tc2", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11", "libxtables12"}
}

// lock prints what the lock should be now.
func lock(o options) error {
	lines := []string{"# The Debian packages of the image sluice-iptables. `make image-lock` writes this file."}
	for _, arch := range arches() {
		a, err := o.archive(arch)
		if err != nil {
			return err
		}
		list, err := a.Newest(packageNames())
		if err != nil {
			return err
		}
		for _, p := range list {
			lines = append(lines, p.String())
		}
	}
	_, err := io.WriteString(o.stdout, strings.Join(lines, "\n")+"\n")
	return err
}

func (o options) archive(arch string) (debian.Archive, error) {
	a := debian.Archive{Dir: filepath.Join(o.cache, arch), Arch: arch}
	return a, os.MkdirAll(a.Dir, 0o755)
}

// packages are all files of the locked packages, and their entries in the bill.
func (o options) packages(arch string) (archive.Tree, []sbom.Part, error) {
	locked, err := debian.ParseLock(lockText)
	if err != nil {
		return nil, nil, err
	}
	a, err := o.archive(arch)
	if err != nil {
		return nil, nil, err
	}
	locked = slices.DeleteFunc(locked, func(p debian.Package) bool { return p.Arch != arch })
	files, err := a.Fetch(locked)
	if err != nil {
		return nil, nil, err
	}
	all := archive.Tree{}
	var parts []sbom.Part
	for i, p := range locked {
		tree, err := debian.Unpack(files[i])
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(all, tree)
		parts = append(parts, sbom.Part{Name: p.Name, Version: p.Version, PURL: "pkg:deb/debian/" + p.Name + "@" + p.Version + "?arch=" + arch + "&distro=debian-12"})
	}
	return all, parts, nil
}

// pickIptables takes the programs by every name that sluice looks for, the
// extensions of both families, and the copyright files.
func pickIptables(all archive.Tree) (archive.Tree, error) {
	return debian.Pick(all, func(name string) bool {
		base := path.Base(name)
		switch path.Base(path.Dir(name)) {
		case "sbin":
			return strings.HasPrefix(base, "iptables-") || strings.HasPrefix(base, "ip6tables-")
		case "xtables":
			return strings.HasPrefix(base, "libxt_") || strings.HasPrefix(base, "libipt_") || strings.HasPrefix(base, "libip6t_")
		}
		return strings.HasPrefix(name, "usr/share/doc/") && base == "copyright"
	})
}

// modules are the Go modules in the programs, with the licences found.
func (o options) modules(programs []sbom.Program) ([]licence.Module, error) {
	parts, err := sbom.Modules(programs...)
	if err != nil {
		return nil, err
	}
	return licence.Of(".", parts)
}
