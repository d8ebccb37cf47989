package containerd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	parent = "/tmp"
	prefix = "slt-ctd-" // the number of the test's process follows
)

// sweep removes what tests left whose process is no more.
func sweep(t testing.TB) {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(number)
		if err != nil || !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			continue
		}
		if err := removeDir(dir); err != nil {
			t.Logf("sweep: %v", err)
		}
	}
}

// removeDir kills what runs under the folder's name, unmounts what is mounted
// below it and deletes it.
func removeDir(dir string) error {
	killUsers(dir)
	return errors.Join(unmount(dir), removeCgroups(filepath.Base(dir)), removeResults(dir), os.RemoveAll(dir))
}

// removeResults removes what runtimes remember of their pods' networks in a
// folder that all of them share.
func removeResults(dir string) error {
	files, err := filepath.Glob("/var/lib/cni/results/*")
	for _, f := range files {
		if text, e := os.ReadFile(f); e == nil && strings.Contains(string(text), dir+"/") {
			err = errors.Join(err, os.Remove(f))
		}
	}
	return err
}

// killUsers ends the processes of a runtime: shims, which have its socket on
// their command line, and containers, which are in its cgroup. It returns when
// they are gone, or after some seconds.
func killUsers(dir string) {
	for range 200 {
		pids := users(dir)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL) // gone already is fine
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func users(dir string) []int {
	entries, _ := os.ReadDir("/proc")
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		group, _ := os.ReadFile("/proc/" + e.Name() + "/cgroup")
		if strings.Contains(string(line), dir+"/") || strings.Contains(string(group), "/"+filepath.Base(dir)+"/") {
			out = append(out, pid)
		}
	}
	return out
}

func unmount(dir string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			points = append(points, f[4])
		}
	}
	slices.Reverse(points) // inner mounts come later
	for _, p := range points {
		err = errors.Join(err, unix.Unmount(p, unix.MNT_DETACH))
	}
	return err
}

// removeCgroups removes the empty groups that the runtime made, deepest first.
func removeCgroups(name string) error {
	tops, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
	v2, _ := filepath.Glob("/sys/fs/cgroup/" + name)
	for _, top := range append(tops, v2...) {
		var dirs []string
		filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs)
		for _, d := range dirs {
			if e := unix.Rmdir(d); e != nil && !errors.Is(e, unix.ENOENT) {
				err = errors.Join(err, &os.PathError{Op: "rmdir", Path: d, Err: e})
			}
		}
	}
	return err
}
