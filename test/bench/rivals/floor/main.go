// Command floor is the least that applies and verifies rules over netlink: it
// sends a transaction that was encoded before, waits for one acknowledgement,
// reads chains and rules back and compares them with a file. With the word
// "record" it writes that file instead.
package main

import (
	"os"

	"github.com/sluicemesh/sluice/test/bench/rivals/internal/batch"
)

func main() {
	if len(os.Args) > 3 {
		batch.Record(os.Args[1], os.Args[2])
		return
	}
	batch.Apply(os.Args[1], os.Args[2])
}
