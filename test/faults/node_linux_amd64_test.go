package faults

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"

	"github.com/sluicemesh/sluice/test/program"
)

const confDir, binDir = "etc/cni/net.d", "opt/cni/bin"

// node is a host's file system, on which sluice-node works.
type node struct {
	t               *testing.T
	program, plugin string // sluice-node, and what it installs
	conf            string // the primary plugin's file in testdata/conflists
	flags           []string
	root            string
}

// nodes are the ways in which our entry gets into a host's configuration.
var nodes = []struct {
	name, conf, before string
	flags              []string
}{
	{"list", "10-calico.conflist", "calico portmap bandwidth", nil},
	{"single configuration", "10-bridge.conf", "bridge", nil},
	{"owned list", "10-calico.conflist", "calico portmap bandwidth", []string{"--owned-conflist"}},
}

// disturbance is what may happen to an installation or a removal.
type disturbance struct {
	name string
	do   func(Step) Action
}

var disturbances = []disturbance{
	{"kill", func(Step) Action { return Action{Kill: All} }},
	{"refuse a system call to", func(s Step) Action { return Action{Errno: refusals[s.Number%len(refusals)]} }},
}

// eachNode runs a test on every kind of node, as it is before an installation,
// for everything that may happen to it.
func eachNode(t *testing.T, test func(t *testing.T, n node, before string, d disturbance)) {
	agent, plugin := program.Build(t, "cmd/sluice-node"), program.Build(t, "cmd/sluice-cni")
	for _, c := range nodes {
		for _, d := range disturbances {
			t.Run(d.name+" "+c.name, func(t *testing.T) {
				t.Parallel()
				test(t, node{t: t, program: agent, plugin: plugin, conf: c.conf, flags: c.flags}.fresh(), c.before, d)
			})
		}
	}
}

// fresh is the same node, newly set up.
func (n node) fresh() node {
	n.t.Helper()
	n.root = n.t.TempDir()
	n.mustBe(os.MkdirAll(filepath.Join(n.root, confDir), 0o755))
	n.mustBe(os.MkdirAll(filepath.Join(n.root, binDir), 0o755))
	text, err := os.ReadFile(filepath.Join("../../testdata/conflists", n.conf))
	n.mustBe(err)
	n.mustBe(os.WriteFile(filepath.Join(n.root, confDir, n.conf), text, 0o600))
	return n
}

func (n node) mustBe(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// command is an installation or a removal.
func (n node) command(verb string) (*exec.Cmd, *bytes.Buffer) {
	args := []string{verb, "--host-root", n.root, "--conf-dir", "/" + confDir, "--bin-dir", "/" + binDir, "--plugin", n.plugin}
	if verb == "install" {
		args = append(args, "--once")
	} else {
		args = append(args, "--grace", "0s")
	}
	out := &bytes.Buffer{}
	cmd := exec.Command(n.program, append(args, n.flags...)...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func (n node) must(verb string) {
	n.t.Helper()
	cmd, out := n.command(verb)
	if err := runApart(cmd); err != nil {
		n.t.Errorf("%s: %v: %s", verb, err, out)
	}
}

// disturb does something at the k-th step of a run; done is false if the run
// ended before.
func (n node) disturb(verb string, k int, do func(Step) Action) (at Step, done bool, out string, err error) {
	cmd, text := n.command(verb)
	err = Trace(cmd, func(s Step) Action {
		if k--; k != -1 {
			return Action{}
		}
		at, done = s, true
		return do(s)
	})
	return at, done, text.String(), err
}

// loaded are the plugins that a runtime calls for a pod: those of the first
// file that it can load.
func (n node) loaded() string {
	n.t.Helper()
	files, err := libcni.ConfFiles(filepath.Join(n.root, confDir), []string{".conf", ".conflist", ".json"})
	n.mustBe(err)
	slices.Sort(files)
	for _, f := range files {
		list, err := libcni.NetworkConfFromFile(f)
		if !strings.HasSuffix(f, ".conflist") {
			var single *libcni.PluginConfig
			if single, err = libcni.ConfFromFile(f); err == nil { //nolint:staticcheck // runtimes still read single configurations so
				list, err = libcni.ConfListFromConf(single) //nolint:staticcheck // and make lists of them so
			}
		}
		if err != nil {
			continue
		}
		var types []string
		for _, p := range list.Plugins {
			types = append(types, p.Network.Type)
		}
		return strings.Join(types, " ")
	}
	return ""
}

// mustLoad wants a runtime to see one of the chains, and with our entry our
// program, whole: it would fail every pod otherwise.
func (n node) mustLoad(when string, chains ...string) {
	n.t.Helper()
	got := n.loaded()
	if !slices.Contains(chains, got) {
		n.t.Errorf("%s: a runtime loads %q, want one of %q", when, got, chains)
	}
	if !strings.Contains(got, "sluice-cni") {
		return
	}
	want, err := os.ReadFile(n.plugin)
	n.mustBe(err)
	if have, err := os.ReadFile(filepath.Join(n.root, binDir, "sluice-cni")); err != nil || !bytes.Equal(have, want) {
		n.t.Errorf("%s: our entry is loaded, and our program is not whole (%d bytes of %d, %v)", when, len(have), len(want), err)
	}
}

// tree is every file with its mode and text.
func (n node) tree() string {
	n.t.Helper()
	var out strings.Builder
	n.mustBe(fs.WalkDir(os.DirFS(n.root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(n.root, path))
		if len(text) > 100_000 {
			text = []byte("a program")
		}
		out.WriteString(path + " " + info.Mode().String() + "\n" + string(text) + "\n")
		return err
	}))
	return out.String()
}

func (n node) mustLookLike(when, want string) {
	n.t.Helper()
	if got := n.tree(); got != want {
		n.t.Errorf("%s: got\n%s\nwant\n%s", when, got, want)
	}
}

func TestInstallerDisturbedAtEveryStepTheRuntimeLoadsOldOrNewAndTheNextRunFinishes(t *testing.T) {
	eachNode(t, func(t *testing.T, whole node, before string, d disturbance) {
		whole.must("install")
		want, points := whole.tree(), 0
		for k := first(); ; k, points = k+*every, points+1 {
			n := whole.fresh()
			at, done, out, err := n.disturb("install", k, d.do)
			if !done {
				break
			}
			n.mustHaveSaid(at, err, out)
			if err == nil {
				n.mustLoad("installed in spite of "+at.String(), before+" sluice-cni")
			} else {
				n.mustLoad("disturbed at "+at.String(), before, before+" sluice-cni")
			}
			n.must("install")
			n.mustLookLike("installed again after "+at.String(), want)
		}
		record(t, d.name+" the installer", points, 0)
	})
}

func TestUninstallerDisturbedAtEveryStepTheRuntimeLoadsOldOrNewAndTheNextRunFinishes(t *testing.T) {
	eachNode(t, func(t *testing.T, whole node, before string, d disturbance) {
		want, points := whole.tree(), 0
		for k := first(); ; k, points = k+*every, points+1 {
			n := whole.fresh()
			n.must("install")
			at, done, out, err := n.disturb("uninstall", k, d.do)
			if !done {
				break
			}
			n.mustHaveSaid(at, err, out)
			if err == nil {
				n.mustLookLike("uninstalled in spite of "+at.String(), want)
			}
			n.mustLoad("disturbed at "+at.String(), before, before+" sluice-cni")
			n.must("uninstall")
			n.mustLookLike("uninstalled again after "+at.String(), want)
		}
		record(t, d.name+" the uninstaller", points, 0)
	})
}

// mustHaveSaid wants a reason of a run that failed by itself.
func (n node) mustHaveSaid(at Step, err error, out string) {
	n.t.Helper()
	var ended *Ended
	failed := errors.As(err, &ended) && ended.Status.Exited()
	if failed && at.Call != "write stdout" && at.Call != "write stderr" && strings.TrimSpace(out) == "" || strings.Contains(out, "panic:") {
		n.t.Errorf("disturbed at %s, it ended with %v and said %q", at, err, out)
	}
}
