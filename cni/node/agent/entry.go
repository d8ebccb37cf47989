package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/node/conflist"
)

// PluginType is the plugin's program and the type of its entry.
const PluginType = "sluice-cni"

// Entry makes the plugin's entry of keys given as a JSON object (empty means
// none) and the socket that the agent serves. Keys that the plugin does not
// know and values that it would not accept are refused, all together: the
// plugin itself warns only, since a pod must not pay for a typing error.
func Entry(keys []byte, socket string) (conflist.Entry, netconf.Config, error) {
	fields := map[string]json.RawMessage{}
	if len(keys) > 0 {
		if err := json.Unmarshal(keys, &fields); err != nil {
			return conflist.Entry{}, netconf.Config{}, fmt.Errorf("plugin configuration: want a JSON object: %w", err)
		}
	}
	errs := reserved(fields)
	fields["type"] = quoted(PluginType)
	fields["agent_socket"] = quoted(socket)
	fields["capabilities"] = json.RawMessage(`{"` + netconf.AnnotationsCapability + `":true}`)
	raw, err := json.Marshal(fields) // keys sorted: the same settings give the same bytes
	if err != nil {
		return conflist.Entry{}, netconf.Config{}, err
	}
	config, err := netconf.Parse(raw)
	if err = errors.Join(append(errs, err, unknown(fields), values(config))...); err != nil {
		return conflist.Entry{}, netconf.Config{}, err
	}
	entry, err := conflist.NewEntry(raw)
	return entry, config, err
}

func quoted(s string) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`) // a string always encodes
	}
	return raw
}

// reserved are keys that someone else sets: the agent, or the runtime at every
// call. A constant runtimeConfig would be the same annotations for every pod.
func reserved(fields map[string]json.RawMessage) (errs []error) {
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if who := setter(k); who != "" {
			errs = append(errs, fmt.Errorf("plugin configuration key %s: %s", k, who))
		}
	}
	return errs
}

// setter says who sets a key that is not the settings'; empty if it is theirs.
func setter(key string) string {
	switch key {
	case "type", "capabilities", "agent_socket", "cni_agent_run_dir":
		return "the agent sets it itself"
	case "disableCheck", "disableGC", "loadOnlyInlinedPlugins":
		return "it belongs to the list, not to a plugin of it"
	case "ipam", "dns", "ipMasq":
		return "it is for plugins that make interfaces"
	}
	if slices.Contains(netconf.Injected(), key) {
		return "the runtime sets it at every call"
	}
	return ""
}

func unknown(fields map[string]json.RawMessage) error {
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if !netconf.Known(k) {
			errs = append(errs, fmt.Errorf("plugin configuration key %s: the plugin does not know it", k))
		}
	}
	return errors.Join(errs...)
}

// values are the problems that the plugin would have with every pod.
func values(c netconf.Config) error {
	_, err := builder.Parse(c.Settings, builder.Options{})
	_, static := builder.Parse(slices.Concat(c.Settings, c.Static), builder.Options{})
	if err == nil {
		err = static
	}
	return errors.Join(append(slices.Clone(c.Problems), err)...)
}
