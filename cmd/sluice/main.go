// Sluice programs a network namespace so that its traffic goes through a mesh
// sidecar, shows what such rules do, and proves that they do it.
//
// The runtime's watch on CPU limits is off: it reads mount and cgroup files at
// every start, and this program is over in milliseconds.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is stamped by the build: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	os.Exit(run(untilStopped(), process()))
}

// untilStopped is cancelled by the first signal that asks the program to end.
// Taking signals over beside the work, and not before it, makes an apply
// milliseconds shorter. A signal that comes earlier ends the program as SIGKILL
// does at any time, which leaves old or new rules (test/faults).
func untilStopped() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
		<-asked
		cancel()
	}()
	return ctx
}
