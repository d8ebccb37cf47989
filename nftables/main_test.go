package nftables

import (
	"testing"

	"github.com/sluicemesh/sluice/test/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
