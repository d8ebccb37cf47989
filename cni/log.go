package cni

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// MaxLog bounds the log file in bytes. A full one becomes FILE.1, in place of
// the one before: at most twice this is kept.
const MaxLog = 4 << 20

// openLog makes the log of one call: stderr, which runtimes keep or drop as
// they like, and a file if the configuration names one. A file that cannot be
// written costs a line, never a pod.
func openLog(stderr io.Writer, file, level string) (*slog.Logger, func()) {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // netconf has checked it
	options := &slog.HandlerOptions{Level: l, ReplaceAttr: inUTC}
	log := slog.New(slog.NewTextHandler(stderr, options))
	if file == "" {
		return log, func() {}
	}
	f, err := openBounded(file)
	if err != nil {
		log.Warn("the log file cannot be written", "error", err)
		return log, func() {}
	}
	return slog.New(slog.NewTextHandler(both{stderr, f}, options)), func() { _ = f.Close() } // a log line lost at the end stops nobody
}

// inUTC spares reading the host's time zone for one line.
func inUTC(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// both writes to two places; what fails in one still reaches the other.
type both struct{ a, b io.Writer }

func (w both) Write(p []byte) (int, error) {
	_, errA := w.a.Write(p)
	_, errB := w.b.Write(p)
	return len(p), errors.Join(errA, errB)
}

// openBounded opens a file for appending, and sets it aside when it is full.
// Many plugins run at once: who finds the file replaced already, leaves it.
func openBounded(file string) (*os.File, error) {
	f, err := openAppend(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(err, f.Close())
	case !info.Mode().IsRegular():
		return nil, errors.Join(fmt.Errorf("%s is no regular file (%s)", file, info.Mode()), f.Close())
	case info.Size() < MaxLog:
		return f, nil
	}
	current, err := os.Stat(file)
	if err == nil && os.SameFile(info, current) && os.Rename(file, file+".1") != nil {
		return f, err // better a long log than none
	}
	return openAppend(file)
}

// openAppend does not wait: what is no regular file after all (openBounded looks)
// may be a FIFO, whose opening waits for a reader.
func openAppend(file string) (*os.File, error) {
	const flags = os.O_APPEND | os.O_CREATE | os.O_WRONLY | syscall.O_NONBLOCK
	f, err := os.OpenFile(file, flags, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(file, flags, 0o600)
}
