package leak

import (
	"strings"
	"testing"
)

func TestAGoroutineThatIsLeftIsFound(t *testing.T) {
	stop := make(chan struct{})
	go func() { <-stop }()
	left := Left()
	if len(left) != 1 || !strings.Contains(left[0], "TestAGoroutineThatIsLeftIsFound") {
		t.Errorf("found %d: %v", len(left), left)
	}
	close(stop)
	if left := Left(); len(left) != 0 {
		t.Errorf("found after its end: %v", left)
	}
}
