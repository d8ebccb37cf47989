// Package leak fails the tests of a package that leave goroutines behind.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long a goroutine may take to end after the last test.
const patience = 3 * time.Second

// Main is a TestMain: it runs the tests, and then wants every goroutine that
// they started to have ended.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that does more: it returns the exit code.
func Run(m *testing.M) int {
	if code := m.Run(); code != 0 {
		return code
	}
	left := Left()
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%d goroutines are left after the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
	return 1
}

// Left waits for goroutines to end, and returns the stacks of those that don't.
func Left() []string {
	deadline := time.Now().Add(patience)
	for {
		left := strangers()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// own are the runtime's and the test program's own.
var own = []string{"testing.(*M).", "testing.(*T).Run", "testing.tRunner", "os/signal.", "runtime.ensureSigM", "leak.strangers", "k8s.io/klog/v2.(*flushDaemon)"}

func strangers() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for _, stack := range strings.Split(string(buf), "\n\n") {
		mine := false
		for _, name := range own {
			mine = mine || strings.Contains(stack, name)
		}
		if !mine {
			left = append(left, stack)
		}
	}
	return left
}
