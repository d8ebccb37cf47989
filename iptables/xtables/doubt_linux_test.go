package xtables

import (
	"errors"
	"syscall"
	"testing"

	"github.com/sluicemesh/sluice/iptables"
)

func TestWhatCouldHaveBeenFoundOutAndWasNotIsADoubt(t *testing.T) {
	for name, c := range map[string]struct {
		err           error
		doubt, hidden bool
	}{
		"asked":                           {nil, false, false},
		"no nf_tables in the kernel":      {nftRefusal(syscall.EOPNOTSUPP), false, false},
		"no netfilter netlink at all":     {nftRefusal(syscall.EPROTONOSUPPORT), false, false},
		"not allowed to ask":              {nftRefusal(syscall.EPERM), false, true},
		"out of memory":                   {nftRefusal(syscall.ENOMEM), true, false},
		"out of descriptors":              {nftRefusal(syscall.EMFILE), true, false},
		"legacy tables not read":          {errors.New("iptables-legacy-save: killed"), true, false},
		"legacy tables not for this user": {noCapability("NET_RAW"), false, true},
	} {
		env := Env{Standing: []Standing{{Flavour: NFT, Family: iptables.V4}, {Flavour: NFT, Family: iptables.V6, Err: c.err}}}
		if got := env.Doubt(); (got != nil) != c.doubt {
			t.Errorf("%s: got %v, want doubt: %v", name, got, c.doubt)
		}
		if got := env.Hidden(); (got != nil) != c.hidden {
			t.Errorf("%s: got %v, want hidden: %v", name, got, c.hidden)
		}
	}
}
