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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, process())
	stop()
	os.Exit(code)
}
