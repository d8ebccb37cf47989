// Sluice-cni is the chained plugin that a container runtime runs for every pod;
// docs/cni.md says how it decides. It is static, needs no credential and makes
// no look-up of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sluicemesh/sluice/cni"
	"github.com/sluicemesh/sluice/cni/netconf"
)

var version = "unknown"

func main() {
	if os.Getenv("CNI_COMMAND") == "" {
		fmt.Fprintf(os.Stderr, "sluice-cni %s: a CNI plugin; a container runtime runs it with CNI_COMMAND and a network config on standard input\n", version)
		os.Exit(1)
	}
	os.Exit(cni.Plugin{
		Getenv: os.Getenv, Stdin: &cni.Input{FD: int(os.Stdin.Fd()), Within: netconf.DefaultTimeout}, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now,
		Agent: cni.Socket{}, Rules: cni.Kernel{}, Memory: cni.DefaultMemory,
	}.Run(context.Background()))
}
