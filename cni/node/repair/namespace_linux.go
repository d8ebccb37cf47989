package repair

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/netns"
)

// ErrNoProcess means that no process of the pod runs on this host.
var ErrNoProcess = errors.New("no process of the pod found in its control group")

// AddressError is a namespace that lacks an address of the pod: it is another's.
type AddressError struct {
	Path string
	Want []string
	Have []netip.Addr
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("the namespace %s has the addresses %v and not all of the pod's (%v): it is another's, nothing was changed",
		e.Path, e.Have, e.Want)
}

// Namespaces finds the network namespaces of pods through a /proc of the host.
type Namespaces struct {
	// Proc is where the host's /proc is seen.
	Proc string
}

// Open opens the pod's namespace after making sure that it is the pod's: found
// by a process in the pod's control group, neither the host's nor ours, and
// with every address of the pod. The caller closes it.
func (n Namespaces) Open(ctx context.Context, uid string, ips []string) (*netns.Namespace, error) {
	path, err := n.find(uid)
	if err != nil {
		return nil, err
	}
	target, err := netns.ParseTarget(path)
	if err != nil {
		return nil, err
	}
	ns, err := netns.Open(target)
	if err != nil {
		return nil, err
	}
	if err := n.check(ctx, ns, path, ips); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return ns, nil
}

func (n Namespaces) check(ctx context.Context, ns *netns.Namespace, path string, ips []string) error {
	if err := errors.Join(ns.RefuseOwn(), ns.RefuseHost(), n.refuseFirst(ns, path)); err != nil {
		return err
	}
	if len(ips) == 0 {
		return errors.New("the pod has no address yet by which its namespace could be known")
	}
	var facts netns.Facts
	err := ns.Do(func() (err error) {
		conn, err := netns.Dial()
		if err != nil {
			return err
		}
		facts, err = conn.Look(ctx)
		return errors.Join(err, conn.Close())
	})
	if err != nil {
		return err
	}
	if have := facts.IPs(); !holdsAll(have, ips) {
		return &AddressError{Path: path, Want: ips, Have: have}
	}
	return nil
}

// refuseFirst refuses the namespace of the host's first process, which is not
// ours when this process has process ids of its own. The namespace itself may
// be closed to us, so the files under net are compared: proc makes them anew
// for each namespace, with inodes of their own, and shows them to everybody.
func (n Namespaces) refuseFirst(ns *netns.Namespace, path string) error {
	first, err := os.Stat(filepath.Join(n.Proc, "1/net/dev"))
	if err != nil {
		return err
	}
	theirs, err := os.Stat(filepath.Join(path, "../../net/dev"))
	if err != nil {
		return err
	}
	if os.SameFile(first, theirs) {
		return &netns.HostError{Target: path, ID: ns.ID(), Whose: "the host's process 1"}
	}
	return nil
}

func holdsAll(have []netip.Addr, want []string) bool {
	return !slices.ContainsFunc(want, func(ip string) bool {
		addr, err := netip.ParseAddr(ip)
		return err != nil || !slices.Contains(have, addr.Unmap())
	})
}

// find gives the namespace file of the first process in the pod's control group.
func (n Namespaces) find(uid string) (string, error) {
	entries, err := os.ReadDir(n.Proc)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		groups, err := os.ReadFile(filepath.Join(n.Proc, e.Name(), "cgroup"))
		if errors.Is(err, fs.ErrNotExist) || err != nil || !inPod(groups, uid) {
			continue // ended meanwhile, or another's
		}
		return filepath.Join(n.Proc, e.Name(), "ns/net"), nil
	}
	return "", fmt.Errorf("%w pod%s", ErrNoProcess, uid)
}

// inPod looks for the pod's folder in the paths of /proc/PID/cgroup. The
// kubelet calls it pod<uid>; its systemd driver writes the dashes as
// underscores and ends it with ".slice".
func inPod(groups []byte, uid string) bool {
	for line := range bytes.Lines(groups) {
		for _, part := range strings.Split(strings.TrimSpace(string(line)), "/") {
			name := strings.TrimSuffix(part, ".slice")
			if i := strings.LastIndex(name, "pod"); i >= 0 && uid != "" && strings.ReplaceAll(name[i+3:], "_", "-") == uid {
				return true
			}
		}
	}
	return false
}
