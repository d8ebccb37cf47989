// Package known holds mistakes whose fate is known.
package known

import (
	"errors"
	"fmt"
	"strings"
)

// Size is small or large.
type Size int

// The sizes.
const (
	Small Size = iota
	Large
)

// Limit is tried on either side, but not in its place.
func Limit(n int) Size {
	if n < 10 {
		return Small
	}
	return Large
}

// Count never ends without its step.
func Count(n int) (rounds int) {
	for rounds != n {
		rounds++
	}
	return rounds
}

// Length refuses the empty text; the zeros beside the errors are left alone.
func Length(s string) (int, bool, error) {
	if s == "" {
		return 0, false, errors.New("no text")
	}
	if err := short(s); err != nil {
		return 0, false, err
	}
	return len(s), true, nil
}

// long is the error for a long text.
type long struct{ size int }

func (e *long) Error() string { return fmt.Sprint("too long: ", e.size) }

func short(s string) error {
	if len(s) > 5 {
		return &long{len(s)}
	}
	return nil
}

// Frame writes lines in their order, within bars.
func Frame(lines ...string) string {
	list := make([]string, 0, len(lines)+2)
	list = append(list, "|")
	for _, line := range lines {
		var b strings.Builder
		b.WriteString(line)
		b.WriteString(";")
		list = append(list, b.String())
	}
	return strings.Join(append(list, "|"), " ")
}

// Tiny is a frame that leaves an argument out, and both its halves.
func Tiny(s string) string { return Frame(s[:len(s)/2], s[len(s)/2:]) }

// Box has sides of at least one.
type Box struct {
	Wide, High int
	Sizes      []Size
}

// Grow is a larger box of every size, unless it is too large.
func (b Box) Grow(by int) (Box, bool) {
	wide, high := b.Wide+by, b.High
	switch {
	case wide > 9 && by > 0, wide < 1:
		return Box{}, false
	}
	return Box{Wide: wide, High: high, Sizes: []Size{Small, Large}}, true
}
