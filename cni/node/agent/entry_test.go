package agent

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/netconf"
)

func TestTheEntryHoldsWhatWasAskedForAndTheSocket(t *testing.T) {
	entry, config, err := Entry([]byte(`{"exclude_namespaces":["kube-system","mesh"],"log_level":"debug"}`), "/run/x/node.sock")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"agent_socket":"/run/x/node.sock","capabilities":{"io.kubernetes.cri.pod-annotations":true},` +
		`"exclude_namespaces":["kube-system","mesh"],"log_level":"debug","type":"sluice-cni"}`
	if got := string(entry.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if config.Socket != "/run/x/node.sock" || len(config.ExcludeNamespaces) != 2 {
		t.Errorf("the plugin would read %+v", config)
	}
	if again, _, err := Entry([]byte(` { "log_level" : "debug", "exclude_namespaces":["kube-system","mesh"] } `), "/run/x/node.sock"); err != nil || !entry.Equal(again) {
		t.Errorf("the same settings in another order: got %s, %v; want the same entry", again.Bytes(), err)
	}
}

func TestWhatThePluginWouldNotUnderstandIsNotWritten(t *testing.T) {
	for keys, word := range map[string]string{
		`{"loglevel":"debug"}`:                  "loglevel",
		`{"timeout":"soon"}`:                    "timeout",
		`{"backend":"magic"}`:                   "magic",
		`{"interception":{"no-such-flag":"1"}}`: "no-such-flag",
		`{"type":"bridge"}`:                     "type",
		`{"agent_socket":"/tmp/x"}`:             "agent_socket",
		`[]`:                                    "object",
		`{`:                                     "object",
		`{"loglevel":1,"timeout":"soon","type":1}`: "loglevel",
	} {
		_, _, err := Entry([]byte(keys), "/run/sluice/node.sock")
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, want an error that names %s", keys, err, word)
		}
	}
	_, _, err := Entry([]byte(`{"loglevel":1,"timeout":"soon","type":1}`), "/s")
	for _, word := range []string{"loglevel", "timeout", "type"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want all three errors together", err)
		}
	}
}

// With constant annotations every pod would be meshed, or none.
func TestWhatRuntimesSetIsNotWritten(t *testing.T) {
	for _, key := range append(netconf.Injected(), "runtimeConfig", "prevResult", "ipam", "dns", "ipMasq",
		"disableCheck", "disableGC", "loadOnlyInlinedPlugins", "capabilities") {
		for _, value := range []string{`{}`, `"x"`, `null`} {
			_, _, err := Entry([]byte(`{"`+key+`":`+value+`}`), "/run/sluice/node.sock")
			if err == nil || !strings.Contains(err.Error(), "key "+key+": ") {
				t.Errorf("%s: %s: got %v, want it refused by name", key, value, err)
			}
		}
	}
}
