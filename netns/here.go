package netns

import "runtime"

// Here runs fn in the namespace that the calling thread is in, and returns its
// error. The thread is the caller's own and stays locked meanwhile: nothing is
// entered, nothing is needed, and no other thread has to wake up for it.
func Here(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return fn()
}
