// Command restores execs two iptables-restore programs, one for each family:
//
//	restores iptables-nft-restore v4.rules ip6tables-nft-restore v6.rules
package main

import (
	"os"
	"os/exec"
)

func main() {
	for i := 1; i+1 < len(os.Args); i += 2 {
		file, err := os.Open(os.Args[i+1])
		if err != nil {
			panic(err)
		}
		cmd := exec.Command(os.Args[i], "--noflush")
		cmd.Stdin = file
		if err := cmd.Run(); err != nil {
			panic(err)
		}
		_ = file.Close()
	}
}
