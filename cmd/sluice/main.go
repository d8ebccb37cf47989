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
	ctx := untilStopped()
	roomy(os.Args == nil, func() { os.Exit(run(ctx, process())) })
}

// untilStopped is cancelled by the first signal that asks the program to end.
// Taking signals over needs a thread more, and happens beside what follows: a
// signal before that ends the program while it has done nothing yet.
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

// roomy calls do on a stack that is large from the start. Growing it step by
// step, each a copy that looks up every frame, takes a twentieth of a run. The
// room lies in a branch that is never taken, so nothing is spent on clearing it.
//
//go:noinline
func roomy(never bool, do func()) {
	if never {
		var room [32 << 10]byte
		_, _ = os.Stdin.Read(room[:])
	}
	do()
}
