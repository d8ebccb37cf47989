package cni

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// DefaultMemory is where [Memory] keeps its files: like the namespaces they
// speak of, they do not outlive a boot.
const DefaultMemory = Memory("/run/sluice-cni")

// Memory is a folder with a file for each container that was programmed
// without Kubernetes: the interface whose DEL removes the rules. A container
// of which it holds nothing was not programmed by this plugin.
type Memory string

// Remember keeps the first interface that a container was programmed for;
// later ones change nothing. The id must be a valid CNI_CONTAINERID.
func (m Memory) Remember(id, ifname string) error {
	if err := os.MkdirAll(string(m), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(m.file(id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(ifname + "\n")
	return errors.Join(err, f.Close())
}

// Recall returns the interface that the container was programmed for.
func (m Memory) Recall(id string) (ifname string, ok bool) {
	text, err := os.ReadFile(m.file(id))
	return strings.TrimSpace(string(text)), err == nil
}

// Forget is no error for a container that is not remembered.
func (m Memory) Forget(id string) error {
	err := os.Remove(m.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (m Memory) file(id string) string { return filepath.Join(string(m), id) }
