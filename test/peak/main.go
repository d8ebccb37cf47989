//go:build linux

// Peak runs a program and writes its peak memory, in KiB, as the last line of
// standard error. A child begins with the memory of whoever started it, which
// counts; hence this small parent in place of a test.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(1)
	}
}
