package caps

import (
	"testing"

	"github.com/sluicemesh/sluice/test/leak"
)

// No goroutine outlives what started it.
func TestMain(m *testing.M) { leak.Main(m) }
