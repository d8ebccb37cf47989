package kernfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileIsReadUpToTheLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	text := strings.Repeat("0123456789", 700)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for most, want := range map[int]int{0: 0, 1: 1, 511: 511, 512: 512, 513: 513, 6999: 6999, 7000: 7000, 1 << 20: 7000} {
		got, err := Read(path, most)
		if err != nil || string(got) != text[:want] {
			t.Errorf("Read(%d) gave %d bytes, %v, want the first %d", most, len(got), err, want)
		}
	}
}

func TestAFileThatIsNotThereAndADirectoryAreErrorsThatNameThem(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	if _, err := Read(missing, 10); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("Read of a missing file: %v, want one that names it and is fs.ErrNotExist", err)
	}
	if _, err := Read(dir, 10); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Read of a directory: %v, want an error that names it", err)
	}
}
