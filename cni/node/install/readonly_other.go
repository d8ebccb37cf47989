//go:build !unix

package install

func isReadOnly(error) bool { return false }
