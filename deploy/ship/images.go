package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluicemesh/sluice/deploy/ship/archive"
	"github.com/sluicemesh/sluice/deploy/ship/licence"
	"github.com/sluicemesh/sluice/deploy/ship/sbom"
)

// variant is one image that is published.
type variant struct {
	name        string
	title       string
	programs    []string // into /usr/local/bin; the first is the entry point
	links       []string // other names of the entry point
	user        string
	withDebian  bool // the iptables programs and their libraries
	description string
}

// variants lists the images. An injector states the user of the containers
// that it adds, so the images' own is the least that works elsewhere.
func variants() []variant {
	return []variant{
		{
			name: "sluice", title: "sluice", programs: []string{"sluice"}, links: []string{"pilot-agent", "istio-iptables"}, user: "1337:1337",
			description: "Programs, checks and validates interception rules. One static binary; native nf_tables backend only.",
		},
		{
			name: "sluice-iptables", title: "sluice with iptables", programs: []string{"sluice"}, links: []string{"pilot-agent", "istio-iptables"}, user: "1337:1337", withDebian: true,
			description: "The same with Debian's iptables programs, for the iptables-nft and iptables-legacy backends.",
		},
		{
			name: "sluice-node", title: "sluice node agent", programs: []string{"sluice-node", "sluice-cni"}, user: "0:0",
			description: "The node agent and the CNI plugin that it installs. Root, since the host's files and its socket are root's.",
		},
	}
}

// images writes one archive for each variant and says its digest.
func images(o options) error {
	for _, v := range variants() {
		if len(o.only) > 0 && !slices.Contains(o.only, v.name) {
			continue
		}
		var list []archive.Image
		for _, arch := range arches() {
			i, err := o.image(v, arch)
			if err != nil {
				return fmt.Errorf("image %s for %s: %w", v.name, arch, err)
			}
			list = append(list, i)
		}
		if err := o.writeImage(v, list); err != nil {
			return err
		}
	}
	return nil
}

func (o options) writeImage(v variant, list []archive.Image) error {
	path := filepath.Join(o.out, v.name+".oci.tar")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := o.registry + "/" + v.name
	digest, err := archive.Write(f, name, o.tag(), o.when, list)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.stdout, "%s %s:%s@%s\n", path, name, o.tag(), digest)
	return errors.Join(err, f.Close())
}

func (o options) image(v variant, arch string) (archive.Image, error) {
	var layers []archive.Layer
	var parts []sbom.Part
	if v.withDebian {
		tree, found, err := o.debianLayer(arch)
		if err != nil {
			return archive.Image{}, err
		}
		parts = found
		layers = append(layers, archive.Layer{Tree: tree, Why: "iptables and its libraries, from Debian packages"})
	}
	top, err := o.programLayer(v, arch, parts)
	if err != nil {
		return archive.Image{}, err
	}
	layers = append(layers, archive.Layer{Tree: top, Why: v.title + " " + o.version})
	return archive.Image{Arch: arch, Layers: layers, Run: archive.Run{
		User: v.user, WorkingDir: "/", Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Entrypoint: []string{"/usr/local/bin/" + v.programs[0]}, Labels: o.labels(v),
	}}, nil
}

func (o options) labels(v variant) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title": v.title, prefix + "description": v.description, prefix + "licenses": "Apache-2.0",
		prefix + "source": "https://github.com/sluicemesh/sluice", prefix + "version": o.version,
		prefix + "revision": o.revision, prefix + "created": o.when.UTC().Format(time.RFC3339),
	}
}

// programLayer holds the programs and what has to travel with them.
func (o options) programLayer(v variant, arch string, also []sbom.Part) (archive.Tree, error) {
	t := base()
	var programs []sbom.Program
	for _, name := range v.programs {
		path := o.program(arch, name)
		body, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		t.File("usr/local/bin/"+name, 0o755, body)
		programs = append(programs, sbom.Program{Name: name, Path: path})
	}
	for _, link := range v.links {
		t.Link("usr/local/bin/"+link, v.programs[0])
	}
	modules, err := o.modules(programs)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		also = append(also, m.Part)
	}
	bill, err := sbom.Document(sbom.Part{Name: v.name, Version: o.version, License: "Apache-2.0"}, also, o.when)
	if err != nil {
		return nil, err
	}
	t.File("usr/share/doc/sluice/sbom.spdx.json", 0o644, bill)
	t.File("usr/share/doc/sluice/licences.txt", 0o644, licence.Notices(modules))
	return t, nil
}

// base is what a program expects of a root file system: the names of three
// users, and somewhere to write.
func base() archive.Tree {
	t := archive.Tree{}
	t.File("etc/passwd", 0o644, []byte("root:x:0:0:root:/:/sbin/nologin\nistio-proxy:x:1337:1337:proxy:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"))
	t.File("etc/group", 0o644, []byte("root:x:0:\nistio-proxy:x:1337:\nnogroup:x:65534:\n"))
	for _, folder := range []string{"tmp", "run", "proc", "sys", "dev"} {
		t.Folder(folder)
	}
	return t
}

// debianLayer holds the iptables programs, their extensions and what those
// are linked to, and the copyright files of all packages.
func (o options) debianLayer(arch string) (archive.Tree, []sbom.Part, error) {
	all, parts, err := o.packages(arch)
	if err != nil {
		return nil, nil, err
	}
	picked, err := pickIptables(all)
	if err != nil {
		return nil, nil, err
	}
	return picked, parts, nil
}
