// Sluice programs a network namespace so that its traffic goes through a mesh
// sidecar, shows what such rules do, and proves that they do it.
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
