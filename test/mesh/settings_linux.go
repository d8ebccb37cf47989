package mesh

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/rig"
)

// Settings are what the owner of a pod chooses. The zero value captures
// everything by REDIRECT, as a mesh does it without annotations.
type Settings struct {
	// TPROXY delivers inbound connections with the client's own address.
	TPROXY bool
	// DNS captures queries to every resolver.
	DNS bool
	// ExcludeOutboundPorts, ExcludeOutboundCIDRs and ExcludeInboundPorts are
	// comma lists.
	ExcludeOutboundPorts, ExcludeOutboundCIDRs, ExcludeInboundPorts string
}

// Flags is the settings as the mesh's init container gives them.
func (s Settings) Flags() []string {
	mode := "REDIRECT"
	if s.TPROXY {
		mode = "TPROXY"
	}
	exclude := "15090,15021,15020"
	if s.ExcludeInboundPorts != "" {
		exclude += "," + s.ExcludeInboundPorts
	}
	flags := []string{"-p", "15001", "-z", "15006", "-u", "1337", "-m", mode,
		"-i", "*", "-x", s.ExcludeOutboundCIDRs, "-b", "*", "-d", exclude}
	if s.ExcludeOutboundPorts != "" {
		flags = append(flags, "-o", s.ExcludeOutboundPorts)
	}
	if s.DNS {
		flags = append(flags, "--redirect-dns", "--capture-all-dns")
	}
	return flags
}

// Path is a way for the rules to get into a pod.
type Path interface {
	// Install puts the rules in place, or replaces those that are there, by
	// running the real program. The test ends if that fails.
	Install(t testing.TB, pod *rig.Namespace, s Settings, b Backend)
	String() string
}

// Init runs sluice in the pod as the mesh's init container does: as root with
// the two capabilities that such a container has.
type Init struct {
	// Program is where sluice is.
	Program string
}

// String names the path.
func (Init) String() string { return "init" }

// Args is the command line that [Init.Install] runs.
func (i Init) Args(s Settings, b Backend) []string {
	return slices.Concat([]string{i.Program, "istio-iptables"}, s.Flags(), []string{"--backend", b.Name}, b.Flags)
}

// Install implements [Path].
func (i Init) Install(t testing.TB, pod *rig.Namespace, s Settings, b Backend) {
	t.Helper()
	r := pod.RunCmd(rig.Cmd{
		Args: i.Args(s, b),
		Only: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW},
		Env:  []string{"PATH=" + os.Getenv("PATH")},
	})
	if r.Err != nil {
		t.Fatalf("%v: %v\n%s%s", i.Args(s, b), r.Err, r.Stdout, r.Stderr)
	}
}
