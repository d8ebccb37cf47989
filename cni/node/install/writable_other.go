//go:build !linux

package install

// writable is a question for Linux hosts only.
func writable(string) bool { return false }
