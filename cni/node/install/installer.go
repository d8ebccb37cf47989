package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// Installer knows the host's folders and what belongs there.
type Installer struct {
	Host hostfs.FS
	// ConfDir and BinDir are the host's folders of network configurations and
	// of plugins.
	ConfDir, BinDir string
	// Program is the plugin's file in this container; it is installed under the
	// name of Want.Entry's type.
	Program string
	Want    Want
}

// Result is what one pass found and did.
type Result struct {
	Plan   Plan
	Copied bool // the plugin was written
	Wrote  int  // actions carried out
}

// tries is how often a pass starts over because someone else was faster.
const tries = 5

// Once installs the plugin and then its entry: a runtime never finds an entry
// whose program is missing. A configuration that is not there yet is no error;
// Result.Plan.State says Waiting.
func (i Installer) Once() (Result, error) {
	copied, err := CopyPlugin(i.Host, i.Program, i.BinDir, i.Want.Entry.Type())
	if err != nil {
		return Result{}, err
	}
	res, err := i.chain()
	res.Copied = copied
	return res, err
}

// chain plans and applies until nobody interferes.
func (i Installer) chain() (res Result, err error) {
	for range tries {
		var dir string
		if dir, res.Plan, err = i.Look(); err != nil || len(res.Plan.Actions) == 0 {
			return res, errors.Join(err, refusal(res.Plan))
		}
		if err = Apply(i.Host, dir, res.Plan.Actions); err == nil {
			res.Wrote = len(res.Plan.Actions)
			res.Plan.State = Ready
			return res, nil
		}
		if !errors.Is(err, hostfs.ErrChanged) && !errors.Is(err, fs.ErrNotExist) {
			return res, err
		}
	}
	return res, err
}

// refusal is the plan's error if it refuses; waiting is none.
func refusal(p Plan) error {
	if p.State == Refused {
		return fmt.Errorf("%s: %w%s", p.File, p.Err, hint(p.Err, "--conf-dir"))
	}
	return nil
}

// Look reads the folder and plans, without changing anything. dir is the
// folder behind all links.
func (i Installer) Look() (dir string, p Plan, err error) {
	dir, err = i.Host.Resolve(i.ConfDir)
	if err != nil {
		return "", Plan{}, err
	}
	f, err := ReadFolder(i.Host, dir)
	if errors.Is(err, fs.ErrNotExist) && !i.Want.PluginOnly {
		return dir, Plan{State: Waiting, Err: fmt.Errorf("%w: no folder %s", ErrNoFile, i.ConfDir)}, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", Plan{}, err
	}
	return dir, i.Want.Plan(f), nil
}

// Sweep removes what a killed predecessor left half done, in every folder that
// it writes to.
func (i Installer) Sweep() error {
	dirs, err := i.folders()
	err = gone(err)
	for _, dir := range dirs {
		err = errors.Join(err, gone(i.Host.Sweep(dir)))
	}
	return err
}

// folders are the host's folders whose files matter, in lexical order: the two
// given, those behind links and those of drop-ins. Not all need exist.
func (i Installer) folders() ([]string, error) {
	bin, err := i.Host.Resolve(i.BinDir)
	if err != nil {
		return nil, err
	}
	conf, err := i.Host.Resolve(i.ConfDir)
	if err != nil {
		return nil, err
	}
	dirs := []string{bin, conf}
	f, err := ReadFolder(i.Host, conf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dirs, err
	}
	for _, item := range f.Items {
		if item.Err == nil {
			dirs = append(dirs, path.Dir(item.Real))
		}
	}
	for sub := range f.DropIns {
		dirs = append(dirs, path.Join(conf, sub))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

// Uninstall takes the entry out, lets calls that are under way end for the time
// grace, then takes the plugin away, unless a file may still hold our entry: a
// *LeftError for each. What is not there needs no removal; it may be repeated.
func (i Installer) Uninstall(ctx context.Context, grace time.Duration) (removed int, err error) {
	swept := i.Sweep() // a half-written file has our entry too
	removed, err = i.unchain()
	if err != nil {
		return removed, err
	}
	if removed > 0 {
		select {
		case <-ctx.Done():
			return removed, ctx.Err()
		case <-time.After(grace):
		}
	}
	return removed, errors.Join(i.removePlugin(), swept)
}

func (i Installer) removePlugin() error {
	real, err := i.Host.Resolve(path.Join(i.BinDir, i.Want.Entry.Type()))
	if err == nil {
		err = i.Host.Remove(real)
	}
	return gone(err)
}

func (i Installer) unchain() (removed int, err error) {
	for range tries {
		dir, err := i.Host.Resolve(i.ConfDir)
		if err != nil {
			return 0, gone(err)
		}
		f, err := ReadFolder(i.Host, dir)
		if err != nil {
			return 0, gone(err)
		}
		actions := i.Want.Removal(f)
		if err = Apply(i.Host, dir, actions); err == nil {
			return len(actions), left(i.Host, dir, i.Want.Entry.Type())
		} else if !errors.Is(err, hostfs.ErrChanged) {
			return len(actions), err
		}
	}
	return 0, hostfs.ErrChanged
}
