//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "demo: network namespaces and netfilter are Linux's")
	os.Exit(1)
}
