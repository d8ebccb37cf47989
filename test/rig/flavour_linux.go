package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Flavour is one of the two iptables implementations.
type Flavour string

// The flavours.
const (
	NFT    Flavour = "nft"
	Legacy Flavour = "legacy"
)

// Flavours returns both, for tests that hold each to the same expectation.
func Flavours() []Flavour { return []Flavour{NFT, Legacy} }

// Family is an IP version, 4 or 6.
type Family int

// The families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Families returns both.
func Families() []Family { return []Family{IPv4, IPv6} }

// Program is the name under which the host has a flavour's program: verb is
// "", "save" or "restore".
func (f Flavour) Program(family Family, verb string) string {
	name := map[Family]string{IPv4: "iptables", IPv6: "ip6tables"}[family] + "-" + string(f)
	if verb != "" {
		name += "-" + verb
	}
	return name
}

// LockEnv makes the namespace itself the legacy lock, as the product does it:
// tests of different namespaces don't wait for each other.
const LockEnv = "XTABLES_LOCKFILE=/proc/self/ns/net"

// Iptables runs iptables or ip6tables as root and returns its stdout; the test
// ends if it fails.
func (n *Namespace) Iptables(f Flavour, family Family, args ...string) string {
	n.t.Helper()
	return n.must(Cmd{
		Args: append([]string{f.Program(family, ""), "-w", "5"}, args...),
		Env:  append(os.Environ(), LockEnv),
	})
}

// Restore loads restore text with --noflush; the test ends if it fails.
func (n *Namespace) Restore(f Flavour, family Family, text string) {
	n.t.Helper()
	n.must(Cmd{
		Args:  []string{f.Program(family, "restore"), "-w", "5", "--noflush"},
		Env:   append(os.Environ(), LockEnv),
		Stdin: text,
	})
}

// Save returns the save text. Asking the legacy flavour about tables creates
// them: for looking without touching there is [Namespace.State].
func (n *Namespace) Save(f Flavour, family Family) string {
	n.t.Helper()
	return n.must(Cmd{Args: []string{f.Program(family, "save")}, Env: append(os.Environ(), LockEnv)})
}

// Tools is a directory of programs that stands in for a host's: as PATH it
// decides what a program under test can find.
type Tools struct {
	Dir string

	t   testing.TB
	log string
}

// NewTools makes a directory in which the iptables programs are those of the
// given flavours, under their own names, and of the first flavour also under
// the plain names. Further programs (nft, ip, ipset) are found only if named.
// Every start of one of them is counted.
func NewTools(t testing.TB, flavours []Flavour, programs ...string) *Tools {
	t.Helper()
	dir, err := os.MkdirTemp("", prefix+"tools-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the test's users look into it
		t.Fatal(err)
	}
	tools := &Tools{Dir: filepath.Join(dir, "bin"), t: t, log: filepath.Join(dir, "log")}
	tools.write(tools.log, "", 0o666)
	for i, f := range flavours {
		for _, family := range Families() {
			for _, verb := range []string{"", "save", "restore"} {
				name := f.Program(family, verb)
				tools.Add(name, name)
				if i == 0 {
					tools.Add(strings.Replace(name, "-"+string(f), "", 1), name)
				}
			}
		}
	}
	for _, p := range programs {
		tools.Add(p, p)
	}
	return tools
}

// Add puts a counted wrapper of one of the host's programs under a name.
func (s *Tools) Add(name, hostProgram string) {
	s.t.Helper()
	path, err := exec.LookPath(hostProgram)
	if err != nil {
		s.t.Fatalf("%v (make test installs it)", err)
	}
	s.AddScript(name, fmt.Sprintf("exec %s \"$@\"", path))
}

// AddScript puts a shell script under a name, for a program that hangs, fails
// or lies. The wrapper's shell sees no PATH but this directory.
func (s *Tools) AddScript(name, body string) {
	s.t.Helper()
	record := fmt.Sprintf("echo \"%s $*\" >>%s", name, s.log)
	s.write(filepath.Join(s.Dir, name), "#!/bin/sh\n"+record+"\n"+body+"\n", 0o755)
}

// Remove takes a program away.
func (s *Tools) Remove(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.Dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

// Env is the test's environment with this directory as the whole PATH.
func (s *Tools) Env(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PATH=") {
			env = append(env, kv)
		}
	}
	return append(append(env, "PATH="+s.Dir), more...)
}

// Calls returns the command lines run so far, in order, and forgets them.
func (s *Tools) Calls() []string {
	s.t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(s.log, "", 0o666)
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func (s *Tools) write(path, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		s.t.Fatal(err)
	}
}
