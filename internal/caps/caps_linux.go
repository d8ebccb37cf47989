package caps

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Set is capabilities, a bit for each number of capability.h.
type Set uint64

// Effective is the capabilities that the calling thread has in effect. An error
// says that nothing is known of any of them: a sandbox forbids to ask. What is
// tried then may still succeed, so it is no reason to refuse to try.
func Effective() (Set, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var words [2]unix.CapUserData // of capabilities 0-31 and 32-63
	if err := unix.Capget(&header, &words[0]); err != nil {
		return 0, fmt.Errorf("read the capabilities: %w", err)
	}
	return Set(words[1].Effective)<<32 | Set(words[0].Effective), nil
}

// Has says whether all of some capabilities are there, such as unix.CAP_NET_ADMIN.
func (s Set) Has(all ...int) bool {
	for _, c := range all {
		if s>>c&1 == 0 {
			return false
		}
	}
	return true
}
