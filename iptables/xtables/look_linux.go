package xtables

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/internal/caps"
	"github.com/sluicemesh/sluice/internal/kernfile"
	"github.com/sluicemesh/sluice/iptables"
)

// DefaultPath is where programs are looked for unless the caller knows better.
func DefaultPath() []string {
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
}

// Look finds out what is on this machine and in the calling thread's network
// namespace. It changes nothing and creates no table. It runs a program only
// where a file's name does not tell its flavour, and where legacy tables hold
// chains or rules.
func Look(ctx context.Context, path []string) Env {
	env := Glance(ctx)
	env.Path = path
	if len(path) == 0 {
		env.Path = DefaultPath()
	}
	env.Tools = findTools(env.Path)
	env.askVersions(ctx)
	env.readLegacy(ctx)
	return env
}

// Glance is Look without programs: what stands in the namespace, as far as the
// kernel tells by itself, and what this process may do. It is enough to know
// that nothing of ours stands here.
func Glance(ctx context.Context) Env {
	env := Env{NoNetAdmin: lacks(unix.CAP_NET_ADMIN), NoNetRaw: lacks(unix.CAP_NET_RAW)}
	for _, flavour := range Flavours() {
		env.Standing = append(env.Standing, ask(ctx, flavour, iptables.Families()...)...)
	}
	return env
}

// ask is the cheap question: what stands here, without any program.
func ask(ctx context.Context, flavour Flavour, families ...iptables.Family) []Standing {
	if flavour == NFT {
		return nftStanding(ctx, families)
	}
	var list []Standing
	for _, f := range families {
		list = append(list, legacyStanding(f))
	}
	return list
}

// legacyStanding reads which legacy tables exist. The file is the thread's own
// namespace's; /proc/net would be the main thread's.
func legacyStanding(f iptables.Family) Standing {
	s := Standing{Flavour: Legacy, Family: f}
	name := map[iptables.Family]string{iptables.V4: "ip_tables_names", iptables.V6: "ip6_tables_names"}[f]
	text, err := kernfile.Read("/proc/thread-self/net/"+name, 1<<16)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Absent = true
	case err != nil && !errors.Is(err, fs.ErrPermission):
		s.Err = &Error{Op: "list the legacy tables", Err: err}
	case err != nil:
		s.Err = &Error{Kind: Capability, Op: "list the legacy tables", Err: err, Hint: "only root may read this file: run as root, or use iptables-nft"}
	}
	for _, table := range strings.Fields(string(text)) {
		s.Tables = append(s.Tables, iptables.Table(table))
	}
	s.Asked = s.Err == nil && allUntouched(f, s.Tables)
	return s
}

// readLegacy asks the legacy programs about tables that exist and hold something.
func (e Env) readLegacy(ctx context.Context) {
	for i := range e.Standing {
		s := &e.Standing[i]
		p, ok := e.pairOf(Legacy, s.Family)
		if s.Flavour != Legacy || len(s.Tables) == 0 || s.Asked || !ok || e.NoNetRaw {
			continue
		}
		dump, err := read(ctx, p.save, s.Family)
		if err != nil {
			s.Err = err
			continue
		}
		s.Asked, s.dump = true, &dump
		s.Own, s.Rules = contents(dump)
	}
}

// contents says whether a dump has chains of ours, and any rule at all.
func contents(rs iptables.Ruleset) (own, rules bool) {
	for _, c := range rs.Chains {
		own = own || iptables.Own(c.Table, c.Name)
		rules = rules || len(c.Rules) > 0
	}
	return own, rules
}

// findTools looks for every name in every directory, the first one wins.
func findTools(path []string) map[string]Tool {
	tools := map[string]Tool{}
	for _, name := range toolNames() {
		for _, dir := range path {
			file := filepath.Join(dir, name)
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				tools[name] = identify(file)
				break
			}
		}
	}
	return tools
}

// identify tells the flavour of a program by the name of the file that it is
// in the end; often that is enough.
func identify(file string) Tool {
	t := Tool{Argv: []string{file}}
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		t.Err = err
		return t
	}
	if f := flavourOfName(filepath.Base(real)); f != "" {
		t.Flavour, t.How = f, "it is "+real
	}
	return t
}

// askVersions runs those restore programs whose file name says nothing. The
// save program beside one is of the same make.
func (e Env) askVersions(ctx context.Context) {
	for _, f := range iptables.Families() {
		restore, ok := e.Tools[command(f)+"-restore"]
		if !ok || restore.Flavour != "" || restore.Err != nil {
			continue
		}
		restore.askVersion(ctx)
		e.Tools[command(f)+"-restore"] = restore
		save, ok := e.Tools[command(f)+"-save"]
		if ok && save.Flavour == "" && filepath.Dir(save.Argv[0]) == filepath.Dir(restore.Argv[0]) {
			save.Flavour, save.How, save.Err = restore.Flavour, restore.How, restore.Err
			e.Tools[command(f)+"-save"] = save
		}
	}
}

func (t *Tool) askVersion(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	argv := []string{t.Argv[0], "--version"}
	words, err := run(ctx, call{op: "ask for its version", argv: argv})
	if err != nil {
		t.Err = err
		return
	}
	t.Flavour, t.How, t.Err = flavourOfVersion(words)
}

const versionLimit = 3 * time.Second // a program that cannot say its name hangs on rules too

// lacks says whether the calling thread is known to be without a capability.
// Where that cannot be known the kernel will say.
func lacks(capability int) bool {
	have, err := caps.Effective()
	return err == nil && !have.Has(capability)
}

func lacksNetRaw() bool { return lacks(unix.CAP_NET_RAW) }
