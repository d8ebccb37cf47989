//go:build !linux

package kernfile

import (
	"io"
	"os"
)

// Read returns the first bytes of a file, most of them at most.
func Read(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(most)))
}
