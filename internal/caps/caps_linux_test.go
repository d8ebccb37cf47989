package caps

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func effective(t *testing.T) Set {
	t.Helper()
	s, err := Effective()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The second hand is what proc shows of the thread.
func TestEffectiveIsWhatProcShows(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:")
	want, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if got := effective(t); got != Set(want) {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

// One capability of either word is taken away, on a thread that ends with it.
func TestACapabilityThatIsTakenAwayIsMissing(t *testing.T) {
	for _, gone := range []int{unix.CAP_NET_RAW, unix.CAP_SYSLOG} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // never unlocked
			if !effective(t).Has(gone) {
				t.Error("this test has to run as root")
				return
			}
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var words [2]unix.CapUserData
			if err := unix.Capget(&header, &words[0]); err != nil {
				t.Error(err)
			}
			words[gone/32].Effective &^= 1 << (gone % 32)
			if err := unix.Capset(&header, &words[0]); err != nil {
				t.Error(err)
			}
			s := effective(t)
			if s.Has(gone) || s.Has(unix.CAP_NET_ADMIN, gone) || !s.Has(unix.CAP_NET_ADMIN, unix.CAP_AUDIT_READ) {
				t.Errorf("without %d: %#x", gone, s)
			}
		}()
		<-done
	}
}
