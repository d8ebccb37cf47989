// Sluice programs a network namespace so that its traffic goes through a mesh
// sidecar, shows what such rules do, and proves that they do it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is stamped by the build: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	os.Exit(run(untilStopped(), process()))
}

// untilStopped is cancelled by the first signal that asks the program to end.
func untilStopped() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(atOnce, func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
		<-asked
		cancel()
	})
	return ctx
}

// atOnce is a time in which most runs that need no other program are over.
// Taking signals over takes threads, and in that time costs more than it is
// worth: a signal then ends the program as SIGKILL does at any time, which
// leaves old or new rules (test/faults).
const atOnce = 3 * time.Millisecond
