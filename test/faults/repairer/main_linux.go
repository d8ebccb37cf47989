// Command repairer programs the namespace of a running pod as the node agent's
// repair does, once, without an API server: what the agent does between
// noticing a broken pod and telling of it.
//
//	repairer PROC UID BACKEND ADDRESS...
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/node/repair"
)

func main() {
	if err := repairOnce(os.Args[1], os.Args[2], builder.Backend(os.Args[3]), os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// repairOnce captures everything.
func repairOnce(proc, uid string, b builder.Backend, addresses []string) error {
	c := builder.Default()
	c.Backend, c.Inbound.Except = b, true
	c.IncludeCIDRs.All = true
	return repair.Namespaces{Proc: proc}.Apply(context.Background(), uid, addresses, c)
}
