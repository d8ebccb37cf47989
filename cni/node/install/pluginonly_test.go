package install

import (
	"os"
	"testing"
)

func TestThePluginAloneIsInstalledWithoutTouchingAnyConfiguration(t *testing.T) {
	h := newHost(t)
	h.Want.PluginOnly = true
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	if res := h.once(Ready); !res.Copied || res.Wrote != 0 {
		t.Errorf("got copied %v and %d changes, want true and 0", res.Copied, res.Wrote)
	}
	h.wantLoaded("10-calico.conflist", "calico portmap bandwidth")
}

func TestThePluginAloneIsReadyWithoutAFolderOfConfigurations(t *testing.T) {
	h := newHost(t)
	h.Want.PluginOnly = true
	must(t, os.RemoveAll(h.here(confDir)))
	h.once(Ready)
}

func TestSwitchingToThePluginAloneTakesTheEntryOut(t *testing.T) {
	h := newHost(t)
	h.put("10-calico.conflist", h.corpus("10-calico.conflist"))
	h.once(Ready)
	h.Want.PluginOnly = true
	h.once(Ready)
	h.wantLoaded("10-calico.conflist", "calico portmap bandwidth")
}
