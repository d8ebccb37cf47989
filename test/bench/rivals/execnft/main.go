// Command execnft loads a file of nft text with one exec of nft.
package main

import (
	"os"
	"os/exec"
)

func main() {
	if err := exec.Command("nft", "-f", os.Args[1]).Run(); err != nil {
		panic(err)
	}
}
