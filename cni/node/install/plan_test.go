package install

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/conflist"
	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// Contents of configuration files: chain("x", ours) is a list, single one
// plugin. A file with the content unreadable cannot be read.
const (
	ours       = `{"type":"sluice-cni"}`
	stale      = `{"type":"sluice-cni","log_level":"debug"}`
	single     = `{"name":"n","cniVersion":"1.0.0","type":"x"}`
	unreadable = "unreadable"
)

func chain(plugins ...string) string {
	for i, p := range plugins {
		if !strings.HasPrefix(p, "{") {
			plugins[i] = `{"type":"` + p + `"}`
		}
	}
	return `{"name":"n","cniVersion":"1.0.0","plugins":[` + strings.Join(plugins, ",") + `]}`
}

// made is the list that is made of the single configuration.
func made(raw string, entry conflist.Entry) string {
	s, _ := conflist.ParseSingle([]byte(raw))
	l, _ := conflist.Parse(s.Wrap())
	return string(l.With(entry))
}

// generated is the list of our own that is made of another.
func generated(source, raw string) string {
	l, _ := conflist.Parse([]byte(raw))
	return string(l.Owned(source))
}

// folder is the one that holds these files; those of the drop-in folders have
// a slash in their name.
func folder(files map[string]string) Folder {
	f := Folder{Path: confDir, DropIns: map[string][]Item{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		i := Item{Name: name, Raw: []byte(files[name]), Attr: hostfs.Attr{Mode: 0o640}}
		if files[name] == unreadable {
			i.Raw, i.Err = nil, fs.ErrPermission
		}
		if sub, _, ok := strings.Cut(name, "/"); ok {
			f.DropIns[sub] = append(f.DropIns[sub], i)
			continue
		}
		f.Items = append(f.Items, i)
	}
	return f
}

// tell prints a plan, an action a line.
func (p Plan) tell(files map[string]string) string {
	lines := []string{strings.TrimSpace(string(p.State) + " " + strings.Join(append([]string{p.File}, p.Types...), " "))}
	for _, s := range p.Skipped {
		lines = append(lines, fmt.Sprintf("skipped %s: %v", s.Name, s.Err))
	}
	if p.Err != nil {
		lines = append(lines, "error: "+p.Err.Error())
	}
	return strings.Join(append(lines, tell(p.Actions, files)...), "\n")
}

// tell prints actions and carries them out on files.
func tell(actions []Action, files map[string]string) (lines []string) {
	for _, a := range actions {
		what := ""
		switch a.Op {
		case Rename:
			what = " to " + a.To
			files[a.To] = files[a.Name]
			delete(files, a.Name)
		case Remove:
			delete(files, a.Name)
		case Write:
			what = fmt.Sprintf(" %04o", a.Attr.Mode)
			if old, ok := files[a.Name]; ok != (a.Base != nil) || old != string(a.Base) {
				what += " on another base"
			}
			what += content(a.Name, a.Data)
			files[a.Name] = string(a.Data)
		}
		lines = append(lines, fmt.Sprintf("%s %s%s: %s", a.Op, a.Name, what, a.Why))
	}
	return lines
}

// content names the plugins of a list, and shows any other file.
func content(name string, raw []byte) string {
	if !conflist.IsList(name) {
		return " " + string(bytes.ReplaceAll(raw, []byte("\n"), []byte("\\n")))
	}
	l, err := conflist.Parse(raw)
	if err != nil {
		return " " + err.Error()
	}
	return fmt.Sprint(" ", l.Types())
}

// planned compares a plan and the one that follows it, which has nothing to do.
func planned(t *testing.T, w Want, files map[string]string, want string) {
	t.Helper()
	w.Entry = entry(t)
	p := w.Plan(folder(files))
	if got, want := p.tell(files), strings.TrimSpace(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p2 := w.Plan(folder(files))
	if len(p2.Actions) > 0 || len(p.Actions) > 0 && p2.State != Ready || p2.File != p.File {
		t.Errorf("after the plan: got\n%s\nwant nothing left to do", p2.tell(files))
	}
}

func entry(t *testing.T) conflist.Entry {
	t.Helper()
	e, err := conflist.NewEntry([]byte(ours))
	must(t, err)
	return e
}
