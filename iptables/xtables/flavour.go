package xtables

import (
	"fmt"
	"strings"
)

// Flavour is one of the two ways in which iptables programs reach the kernel.
type Flavour string

// The flavours. Rules of one are invisible to the programs of the other.
const (
	NFT    Flavour = "nft"
	Legacy Flavour = "legacy"
)

// Flavours lists both, in the order of every output.
func Flavours() []Flavour { return []Flavour{NFT, Legacy} }

// Choice is what the user asked for.
type Choice string

// The choices. Auto is the zero value.
const (
	Auto           Choice = ""
	Plain          Choice = "iptables"        // whatever the name iptables stands for
	ChooseNFT      Choice = "iptables-nft"    // nft and nothing else
	ChooseLegacy   Choice = "iptables-legacy" // legacy and nothing else
	autoSpelledOut        = "auto"
)

// UnmarshalText reads auto, iptables, iptables-nft or iptables-legacy, in any
// letter case; nft and legacy alone mean the same as the long forms.
func (c *Choice) UnmarshalText(text []byte) error {
	switch s := strings.ToLower(strings.TrimSpace(string(text))); s {
	case "", autoSpelledOut:
		*c = Auto
	case string(Plain), string(ChooseNFT), string(ChooseLegacy):
		*c = Choice(s)
	case string(NFT):
		*c = ChooseNFT
	case string(Legacy):
		*c = ChooseLegacy
	default:
		return fmt.Errorf("%q is no iptables backend: auto, iptables, iptables-nft or iptables-legacy", string(text))
	}
	return nil
}

// String returns the long form; Auto is "auto".
func (c Choice) String() string {
	if c == Auto {
		return autoSpelledOut
	}
	return string(c)
}
