package main

import (
	"os"
	"testing"

	"github.com/sluicemesh/sluice/test/leak"
)

// asProgram in the environment makes the test's binary the program itself: so
// it can be started with fewer rights than the test has.
const asProgram = "SLUICE_NODE_AS_PROGRAM"

// No goroutine outlives what started it.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	leak.Main(m)
}
