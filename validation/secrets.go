package validation

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/sluicemesh/sluice/builder"
)

// secret travels on a connection. One that the client sends tells the listener
// that it is no stranger's; the answer, which nobody else knows, tells the
// client that the listener is ours.
type secret [16]byte

func newSecret() (s secret) {
	// The generator is ChaCha8, seeded by the kernel. crypto/rand links the whole
	// FIPS module, whose self-tests every start of the program would pay for.
	binary.NativeEndian.PutUint64(s[:], rand.Uint64())
	binary.NativeEndian.PutUint64(s[8:], rand.Uint64())
	return s
}

// landing is where a probe's connection or datagram ended.
type landing struct {
	listener builder.Verdict
	original netip.AddrPort // where the client wanted to go
	peer     netip.AddrPort
	err      error // the original destination could not be found out
}

// expected is a probe that is under way.
type expected struct {
	answer secret
	landed chan landing
}

// secrets are those of one run.
type secrets struct {
	mu    sync.Mutex
	out   map[secret]expected
	start uint16 // of source ports that probes share
}

func newSecrets() *secrets {
	s := newSecret()
	return &secrets{out: map[secret]expected{}, start: binary.NativeEndian.Uint16(s[:]) % 8000}
}

// expect makes the secret of a new probe.
func (s *secrets) expect() (secret, expected) {
	key, e := newSecret(), expected{newSecret(), make(chan landing, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out[key] = e
	return key, e
}

// land notes where a secret arrived, and returns the answer to it. It answers
// once: whoever comes with the same secret again is not ours.
func (s *secrets) land(key secret, at landing) (secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.out[key]
	if ok {
		delete(s.out, key)
		e.landed <- at
	}
	return e.answer, ok
}
