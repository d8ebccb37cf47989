package install

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"
	"text/tabwriter"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// Place is where a platform keeps network configurations and plugins.
type Place struct {
	Platform        string
	ConfDir, BinDir string
}

// Places are the known ones, the common first. Sources: the platforms' own
// documentation of their CNI directories.
var Places = [...]Place{
	{"common (kubeadm, eks, aks, talos, bottlerocket, minikube, rke2, k0s)", "/etc/cni/net.d", "/opt/cni/bin"},
	{"gke", "/etc/cni/net.d", "/home/kubernetes/bin"},
	{"k3s", "/var/lib/rancher/k3s/agent/etc/cni/net.d", "/var/lib/rancher/k3s/data/cni"},
	{"k3s before 2024", "/var/lib/rancher/k3s/agent/etc/cni/net.d", "/var/lib/rancher/k3s/data/current/bin"},
	{"microk8s", "/var/snap/microk8s/current/args/cni-network", "/var/snap/microk8s/current/opt/cni/bin"},
	{"openshift", "/etc/kubernetes/cni/net.d", "/var/lib/cni/bin"},
	{"openshift with multus", "/etc/cni/multus/net.d", "/var/lib/cni/bin"},
	{"debian packages", "/etc/cni/net.d", "/usr/lib/cni"},
	{"fedora packages", "/etc/cni/net.d", "/usr/libexec/cni"},
}

// Tried is one place and what was found there.
type Tried struct {
	Place
	Conf, Bin Found
	// File is the configuration that a runtime would load there, and Plugin
	// whether the first plugin that it names lies in BinDir.
	File   string
	Plugin bool
}

// Found is the state of one folder.
type Found string

// The states of a folder.
const (
	Usable   Found = "ok"
	Missing  Found = "missing"
	Unwanted Found = "no folder"
	Locked   Found = "read-only"
	Denied   Found = "forbidden" // another user's, and the capability DAC_OVERRIDE is not there
	Outside  Found = "not mounted"
)

// score orders places: a primary plugin that really lies where its
// configuration is read from is the best evidence there is.
func (t Tried) score() int {
	switch {
	case t.Conf != Usable || t.Bin != Usable:
		return 0
	case t.Plugin:
		return 3
	case t.File != "":
		return 2
	}
	return 1
}

// Discover looks at every known place under the host's root and gives the
// best, and all that was tried. A place without a configuration yet is taken
// if no other has one: the primary plugin may still be on its way.
func Discover(host hostfs.FS) (Place, []Tried, error) {
	var best Tried
	var tried []Tried
	for _, p := range Places {
		t := try(host, p)
		tried = append(tried, t)
		if t.score() > best.score() {
			best = t
		}
	}
	if best.score() == 0 {
		return Place{}, tried, errors.New("no known folder of network configurations and plugins on this host; name them with --conf-dir and --bin-dir")
	}
	return best.Place, tried, nil
}

func try(host hostfs.FS, p Place) Tried {
	t := Tried{Place: p, Conf: look(host, p.ConfDir), Bin: look(host, p.BinDir)}
	if t.Conf != Usable {
		return t
	}
	dir, _ := host.Resolve(p.ConfDir) // as in look, where it was found
	f, _ := ReadFolder(host, dir)     // what cannot be read has no file to load
	if main, _, _ := (Want{}).pick(f); main.Err == nil {
		t.File = main.Name
		t.Plugin = hasPrimary(host, p.BinDir, main)
	}
	return t
}

// hasPrimary reports whether the first plugin of the configuration is there.
func hasPrimary(host hostfs.FS, bin string, main Item) bool {
	l, _ := asList(main)
	if len(l.Types()) == 0 {
		return false
	}
	real, _ := host.Resolve(path.Join(bin, l.Types()[0])) // else the root, which is no file
	info, err := os.Stat(host.Here(real))
	return err == nil && info.Mode().IsRegular()
}

// look says whether files can be changed in the host's folder dir.
func look(host hostfs.FS, dir string) Found {
	real, err := host.Resolve(dir)
	var outside *hostfs.OutsideError
	switch {
	case errors.As(err, &outside):
		return Outside
	case err != nil:
		return Missing
	}
	info, err := os.Stat(host.Here(real))
	switch {
	case err != nil:
		return Missing
	case !info.IsDir():
		return Unwanted
	}
	return found(access(host.Here(real)))
}

// found names what the kernel says about changing files of a folder.
func found(access error) Found {
	switch {
	case access == nil:
		return Usable
	case errors.Is(access, syscall.EROFS):
		return Locked
	}
	return Denied
}

// PrintTried writes what was tried as a table, one place a line.
func PrintTried(w io.Writer, tried []Tried, chosen Place) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tPLATFORM\tCONFIGURATIONS\t\tPLUGINS\t\tLOADED FILE\tPRIMARY THERE")
	for _, p := range tried {
		mark := ""
		if p.Place == chosen {
			mark = "→"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", mark, p.Platform, p.ConfDir, p.Conf, p.BinDir, p.Bin, dash(p.File), yes(p.Plugin))
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Broken names the files that keep a runtime from the configuration behind
// them: containerd loads nothing while the first file is not valid.
func Broken(skipped []conflist.Skipped) []string {
	var lines []string
	for _, s := range skipped {
		lines = append(lines, fmt.Sprintf("%s: %v; containerd loads nothing until it is gone or complete", s.Name, s.Err))
	}
	return lines
}
