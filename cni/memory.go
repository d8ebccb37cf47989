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
	if first, err := m.Recall(id); err != nil || first != "" {
		return err
	}
	if err := os.MkdirAll(string(m), 0o700); err != nil {
		return err
	}
	return os.WriteFile(m.file(id), []byte(ifname+"\n"), 0o600)
}

// Recall returns the interface that the container was programmed for, nothing
// if it was not, or if a call was ended before it could say.
func (m Memory) Recall(id string) (ifname string, err error) {
	text, err := os.ReadFile(m.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
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
