package install

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// newTree makes a host of these files, folders (with a slash at the end) and
// links (content with an arrow).
func newTree(t *testing.T, files map[string]string) hostfs.FS {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		here := path.Join(root, name)
		must(t, os.MkdirAll(path.Dir(here), 0o755))
		switch target, link := strings.CutPrefix(text, "→ "); {
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(here, 0o755))
		case link:
			must(t, os.Symlink(target, here))
		default:
			must(t, os.WriteFile(here, []byte(text), 0o644))
		}
	}
	return hostfs.FS{Root: root}
}

func TestWhatWasTriedIsATableOfEveryKnownPlace(t *testing.T) {
	host := newTree(t, map[string]string{
		"/etc/cni/net.d/10-<a>.conflist": chain("x"), "/opt/cni/bin/y": "", "/home/kubernetes/bin/x": "",
		"/var/lib/rancher/k3s/agent/etc/cni/net.d": "a file", "/var/lib/rancher/k3s/data/cni/": "",
		"/var/snap/microk8s/current/args/cni-network/10-b.conflist": "{", "/var/snap/microk8s/current/opt/cni/bin": "→ bin",
		"/etc/kubernetes/cni/net.d/10-a.conflist": "→ 10-a.conflist", "/var/lib/cni/bin": "→ /elsewhere", "/elsewhere/x": "",
		"/etc/cni/multus/net.d": "→ /elsewhere", "/usr/lib/cni/x/": "", "/usr/libexec/": "", "/root.conflist": chain("x"),
	})
	for _, p := range Places {
		host.Mounts = append(host.Mounts, p.ConfDir, p.BinDir)
	}
	place, tried, err := Discover(host)
	must(t, err)
	var got strings.Builder
	must(t, PrintTried(&got, tried, place))
	if got.String() != wantTable {
		t.Errorf("got\n%s\nwant\n%s", got.String(), wantTable)
	}
	if err := PrintTried(failing{}, tried, place); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a writer that fails: got %v, want its error", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

const wantTable = `   PLATFORM                                                              CONFIGURATIONS                                            PLUGINS                                              LOADED FILE      PRIMARY THERE
   common (kubeadm, eks, aks, talos, bottlerocket, minikube, rke2, k0s)  /etc/cni/net.d                               ok           /opt/cni/bin                            ok           10-<a>.conflist  no
→  gke                                                                   /etc/cni/net.d                               ok           /home/kubernetes/bin                    ok           10-<a>.conflist  yes
   k3s                                                                   /var/lib/rancher/k3s/agent/etc/cni/net.d     no folder    /var/lib/rancher/k3s/data/cni           ok           -                no
   k3s before 2024                                                       /var/lib/rancher/k3s/agent/etc/cni/net.d     no folder    /var/lib/rancher/k3s/data/current/bin   missing      -                no
   microk8s                                                              /var/snap/microk8s/current/args/cni-network  ok           /var/snap/microk8s/current/opt/cni/bin  missing      -                no
   openshift                                                             /etc/kubernetes/cni/net.d                    ok           /var/lib/cni/bin                        not mounted  -                no
   openshift with multus                                                 /etc/cni/multus/net.d                        not mounted  /var/lib/cni/bin                        not mounted  -                no
   debian packages                                                       /etc/cni/net.d                               ok           /usr/lib/cni                            ok           10-<a>.conflist  no
   fedora packages                                                       /etc/cni/net.d                               ok           /usr/libexec/cni                        missing      10-<a>.conflist  no
`

func TestTheBetterTheEvidenceTheBetterThePlace(t *testing.T) {
	usable := map[string]string{"/etc/cni/net.d/": "", "/opt/cni/bin/": ""}
	for _, c := range []struct {
		more map[string]string
		want string
	}{
		{nil, "common"},
		{map[string]string{"/var/lib/rancher/k3s/agent/etc/cni/net.d/": "", "/var/lib/rancher/k3s/data/cni/": ""}, "common"},
		{map[string]string{"/var/lib/rancher/k3s/agent/etc/cni/net.d/a.conflist": chain("x"), "/var/lib/rancher/k3s/data/cni/": ""}, "k3s"},
		{map[string]string{"/var/lib/rancher/k3s/agent/etc/cni/net.d/a.conflist": chain("x")}, "common"},
		{map[string]string{"/var/lib/rancher/k3s/agent/etc/cni/net.d/a.conflist": chain("x"), "/var/lib/rancher/k3s/data/cni/x/": "",
			"/var/snap/microk8s/current/args/cni-network/a.conf": single, "/var/snap/microk8s/current/opt/cni/bin/x": ""}, "microk8s"},
		{map[string]string{"/etc/cni/net.d/a.conflist": `{"name":"n","cniVersion":"1.1.0"}`, "/etc/cni/net.d/n/a.conf": `{"type":"x"}`}, "common"},
		{map[string]string{"/etc/cni/net.d/a.conflist": chain("x"), "/opt/cni/bin/x": "→ x", "/usr/lib/cni/x": ""}, "debian"},
	} {
		files := map[string]string{}
		for name, text := range usable {
			files[name] = text
		}
		for name, text := range c.more {
			files[name] = text
		}
		place, _, err := Discover(newTree(t, files))
		if err != nil || !strings.HasPrefix(place.Platform, c.want) {
			t.Errorf("%v: got %s, %v; want %s", c.more, place.Platform, err, c.want)
		}
	}
}

func TestAPlaceWithoutItsFoldersIsNone(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"plugins, no configurations": {"/opt/cni/bin/x": ""},
		"configurations, no plugins": {"/etc/cni/net.d/a.conflist": chain("x")},
		"a link to itself":           {"/opt/cni/bin/x": "", "/etc/cni/net.d": "→ net.d", "/a.conflist": chain("x")},
	} {
		place, tried, err := Discover(newTree(t, files))
		if err == nil || place != (Place{}) || len(tried) != len(Places) {
			t.Errorf("%s: got %+v, %v, %d tried; want no place and all of them tried", name, place, err, len(tried))
		}
		if got := tried[0]; name == "a link to itself" && (got.Conf != Missing || got.File != "") {
			t.Errorf("%s: got %+v; want the configurations missing", name, got)
		}
	}
}

func TestFilesInFrontThatNoRuntimeLoadsAreNamed(t *testing.T) {
	got := Broken([]conflist.Skipped{{Name: "00-a.conflist", Err: conflist.ErrSyntax}, {Name: "05-b.conf", Err: conflist.ErrNoType}})
	want := []string{
		"00-a.conflist: not valid JSON, or cut short; containerd loads nothing until it is gone or complete",
		"05-b.conf: no plugin type; containerd loads nothing until it is gone or complete",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
