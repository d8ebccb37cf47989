package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/sluicemesh/sluice/cni/node/hostfs"
)

// pluginAttr is what an installed plugin has: everyone may run it.
var pluginAttr = hostfs.Attr{Mode: 0o755}

// CopyPlugin puts the program at src (a path here) into the host's folder dir
// under its own name, if what is there differs in content or mode. A program
// that is running keeps its old file until it ends.
func CopyPlugin(host hostfs.FS, src, dir, name string) (copied bool, err error) {
	real, err := host.Resolve(path.Join(dir, name))
	if err != nil {
		return false, fmt.Errorf("install plugin: %w", err)
	}
	same, err := samePlugin(src, host.Here(real))
	if same || err != nil {
		return false, err
	}
	program, err := os.Open(src)
	if err != nil {
		return false, fmt.Errorf("install plugin: %w", err)
	}
	defer program.Close()
	if err := host.Replace(real, program, pluginAttr, nil); err != nil {
		return false, fmt.Errorf("install plugin: %w%s", err, hint(err, "--bin-dir"))
	}
	return true, nil
}

// PluginState says how the installed program stands to the one in the image.
type PluginState string

// The states of the installed program.
const (
	PluginInstalled PluginState = "installed" // the same content and mode
	PluginMissing   PluginState = "missing"
	PluginStale     PluginState = "stale"      // other content, or another mode
	PluginNoFile    PluginState = "not a file" // a folder stands there, say: an installation fails
	PluginUnknown   PluginState = "not compared"
)

// Plugin looks at the installed program without changing anything.
func (i Installer) Plugin() (PluginState, error) {
	real, err := i.Host.Resolve(path.Join(i.BinDir, i.Want.Entry.Type()))
	if err != nil {
		return PluginMissing, gone(err)
	}
	info, err := os.Stat(i.Host.Here(real))
	switch {
	case err != nil:
		return PluginMissing, gone(err)
	case !info.Mode().IsRegular():
		return PluginNoFile, nil
	}
	same, err := samePlugin(i.Program, i.Host.Here(real))
	switch {
	case err != nil:
		return PluginUnknown, err
	case !same:
		return PluginStale, nil
	}
	return PluginInstalled, nil
}

// samePlugin compares the two files block by block.
func samePlugin(src, dst string) (bool, error) {
	a, err := os.Open(src)
	if err != nil {
		return false, fmt.Errorf("install plugin: %w", err)
	}
	defer a.Close()
	b, err := os.Open(dst)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("installed plugin: %w", err)
	}
	defer b.Close()
	info, err := b.Stat()
	if err != nil || info.Mode() != pluginAttr.Mode {
		return false, err
	}
	return sameContent(a, b)
}

func sameContent(a, b io.Reader) (bool, error) {
	const block = 64 << 10
	x, y := make([]byte, block), make([]byte, block)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		switch {
		case ended(errA) && ended(errB):
			return true, nil
		case errA != nil || errB != nil:
			return false, errors.Join(errA, errB)
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
