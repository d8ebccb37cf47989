package cni

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// DefaultMemory is where [Memory] keeps its links: like the namespaces they
// speak of, they do not outlive a boot.
const DefaultMemory = Memory("/run/sluice-cni")

// Memory is a folder with a symbolic link for each container that is
// programmed without Kubernetes; its target is the name of the interface whose
// DEL removes the rules. In a container of which it holds nothing this plugin
// has never begun.
//
// A link has its content from the moment at which it exists, and the kernel
// makes it once: no call that is ended leaves half of one, and of two calls at
// the same time one is first.
type Memory string

// Claim takes the container for an interface, before anything in it changes,
// so that DEL finds what an ADD leaves behind that is ended halfway. The first
// interface stays, until [Memory.Forget]; Claim returns it. The id must be a
// valid CNI_CONTAINERID.
func (m Memory) Claim(id, ifname string) (first string, err error) {
	if err := os.MkdirAll(string(m), 0o700); err != nil {
		return "", err
	}
	err = os.Symlink(ifname, m.file(id))
	if errors.Is(err, fs.ErrExist) {
		return os.Readlink(m.file(id))
	}
	return ifname, err
}

// Recall returns the interface that the container was claimed for, nothing if
// it was not.
func (m Memory) Recall(id string) (ifname string, err error) {
	ifname, err = os.Readlink(m.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return ifname, err
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
