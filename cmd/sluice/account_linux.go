package main

import (
	"fmt"
	"strings"

	"github.com/sluicemesh/sluice/internal/kernfile"
)

// lookUpUser and lookUpGroup read the machine's own lists, as the static
// standard library does, but each list once and without its poller.
func lookUpUser(name string) (uint32, error)  { return listedID("/etc/passwd", name) }
func lookUpGroup(name string) (uint32, error) { return listedID("/etc/group", name) }

// mostAccounts is in bytes, and far above any list of accounts.
const mostAccounts = 64 << 20

func listedID(path, name string) (uint32, error) {
	text, err := kernfile.Read(path, mostAccounts)
	if err != nil {
		return 0, err
	}
	return accountID(string(text), path, name)
}

// accountID finds "name:password:id:…" in passwd(5) or group(5).
func accountID(text, path, name string) (uint32, error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+":")
		if !ok || name == "" {
			continue
		}
		if fields := strings.Split(rest, ":"); len(fields) > 2 {
			return id(fields[1])
		}
	}
	return 0, fmt.Errorf("%s has no %q", path, name)
}
