package netns

import "fmt"

// ID identifies a network or user namespace on this machine while it lives, as
// namespaces(7) describes: comparable, meaningless after a reboot. The zero
// value is no namespace.
type ID struct{ Dev, Ino uint64 }

// String is the form that the kernel's own links show, "net:[4026531840]",
// without the kind.
func (id ID) String() string { return fmt.Sprintf("inode %d", id.Ino) }

// refuse is the decision behind the two Refuse methods.
func refuse(target string, id, forbidden ID, whose string) error {
	if id != forbidden {
		return nil
	}
	return &HostError{Target: target, ID: id, Whose: whose}
}
