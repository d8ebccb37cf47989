// Command goiptables makes the IPv4 rules of a restore file with coreos/go-iptables:
// one exec for each chain and rule.
package main

import (
	"bufio"
	"os"
	"strings"

	goiptables "github.com/coreos/go-iptables/iptables"
)

func main() {
	ipt, err := goiptables.New()
	check(err)
	file, err := os.Open(os.Args[1])
	check(err)
	table := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			check(ipt.NewChain(table, words[0][1:]))
		case strings.HasPrefix(line, "-A "):
			check(ipt.Append(table, words[1], words[2:]...))
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
