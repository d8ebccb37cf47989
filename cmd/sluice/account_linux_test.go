package main

import "testing"

func TestAccountsAreFoundByTheirWholeName(t *testing.T) {
	const text = "# a remark\nroot:x:0:0:root:/root:/bin/sh\n+::::::\nistio-proxy2:x:1:1::/:\nshort:x\nistio-proxy:x:1337:1338::/:/bin/false\nlast:x:7:"
	for name, want := range map[string]int{"root": 0, "istio-proxy": 1337, "last": 7, "istio": -1, "short": -1, "": -1, "nobody": -1} {
		got, err := accountID(text, "list", name)
		if want < 0 && err == nil || want >= 0 && (err != nil || int(got) != want) {
			t.Errorf("%q: got %d, %v, want %d (-1: an error)", name, got, err, want)
		}
	}
	if got, err := lookUpUser("root"); err != nil || got != 0 {
		t.Errorf("this machine's root: got %d, %v, want 0", got, err)
	}
	if got, err := lookUpGroup("root"); err != nil || got != 0 {
		t.Errorf("this machine's group root: got %d, %v, want 0", got, err)
	}
}
