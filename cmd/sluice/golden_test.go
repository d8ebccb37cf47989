package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// called is one run of the program and what came of it.
type called struct {
	stdout, stderr string
	code           int
}

// call runs the program in this process with nothing of the machine's environment.
func call(env map[string]string, stdin string, args ...string) called {
	var stdout, stderr bytes.Buffer
	p := program{
		args:  append([]string{"sluice"}, args...),
		env:   func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
	}
	code := run(context.Background(), p)
	return called{stdout.String(), stderr.String(), code}
}

// words splits the words of an args file: blanks separate, ” is an empty word.
func words(line string) []string {
	list := strings.Fields(line)
	for i, w := range list {
		if w == "''" {
			list[i] = ""
		}
	}
	return list
}

func golden(t *testing.T, dir string) (args []string, env map[string]string) {
	t.Helper()
	env = map[string]string{}
	for _, line := range strings.Split(readFile(t, filepath.Join(dir, "env")), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	return words(readFile(t, filepath.Join(dir, "args"))), env
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

// compare holds a golden file to what was printed; nothing printed, no file.
func compare(t *testing.T, name, got string) {
	t.Helper()
	if want := readFile(t, name); got == want {
		return
	} else if !*update {
		t.Errorf("%s differs (go test ./cmd/sluice -update rewrites it)\n--- got\n%s\n--- want\n%s", name, got, want)
		return
	}
	var err error
	if got == "" {
		err = os.Remove(name)
	} else {
		err = os.WriteFile(name, []byte(got), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each case is a directory: args and env go in; rules, nft, plan.json and
// stderr come out, the last with the exit code if it is not 0.
func TestDryRunPrintsTheGoldenFiles(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/cases/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			args, env := golden(t, dir)
			for format, file := range map[string]string{"iptables": "rules", "nft": "nft", "commands": "commands"} {
				got := call(env, "", append([]string{"istio-iptables", "--dry-run", "--format", format}, args...)...)
				compare(t, filepath.Join(dir, file), got.stdout)
				compare(t, filepath.Join(dir, "stderr"), withoutTimes(got))
			}
		})
	}
}

// withoutTimes is what was said, less the time of each line.
func withoutTimes(c called) string {
	var b strings.Builder
	for line := range strings.Lines(c.stderr) {
		if at, rest, ok := strings.Cut(line, "\t"); ok && strings.HasSuffix(at, "Z") {
			line = rest
		}
		b.WriteString(line)
	}
	if c.code != 0 {
		fmt.Fprintf(&b, "exit code %d\n", c.code)
	}
	return b.String()
}
