package xtables

import (
	"errors"
	"syscall"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestWhatCouldHaveBeenFoundOutAndWasNotIsADoubt(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"asked":                           {nil, false},
		"no nf_tables in the kernel":      {nftRefusal(syscall.EOPNOTSUPP), false},
		"no netfilter netlink at all":     {nftRefusal(syscall.EPROTONOSUPPORT), false},
		"not allowed to ask":              {nftRefusal(syscall.EPERM), false},
		"out of memory":                   {nftRefusal(syscall.ENOMEM), true},
		"out of descriptors":              {nftRefusal(syscall.EMFILE), true},
		"legacy tables not read":          {errors.New("iptables-legacy-save: killed"), true},
		"legacy tables not for this user": {noCapability("NET_RAW"), false},
	} {
		env := Env{Standing: []Standing{{Flavour: NFT, Family: iptables.V4}, {Flavour: NFT, Family: iptables.V6, Err: c.err}}}
		if got := env.Doubt(); (got != nil) != c.want {
			t.Errorf("%s: got %v, want doubt: %v", name, got, c.want)
		}
	}
}
