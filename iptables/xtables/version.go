package xtables

import (
	"fmt"
	"strings"
)

// flavourOfName reads the flavour off a program's file name; "" if it does not say.
func flavourOfName(base string) Flavour {
	switch {
	case base == "xtables-multi": // the one program of iptables before 1.8
		return Legacy
	case strings.Contains(base, "-"+string(NFT)):
		return NFT
	case strings.Contains(base, "-"+string(Legacy)):
		return Legacy
	}
	return ""
}

// flavourOfVersion reads "iptables-restore v1.8.9 (nf_tables)". Versions before
// 1.8 name no flavour and are legacy.
func flavourOfVersion(words string) (Flavour, string, error) {
	line, _, _ := strings.Cut(strings.TrimSpace(words), "\n")
	fields := strings.Fields(line)
	if len(fields) < 2 || !strings.HasPrefix(fields[1], "v") || !strings.Contains(fields[0], "tables") {
		return "", "", fmt.Errorf("--version printed %q, which is no version of iptables", clip(line))
	}
	how := fmt.Sprintf("it says %q", clip(line))
	if strings.Contains(line, "(nf_tables)") {
		return NFT, how, nil
	}
	return Legacy, how, nil
}

func clip(s string) string { return s[:min(len(s), 120)] }
