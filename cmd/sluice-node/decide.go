package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/decide"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/node/agent"
	"github.com/sluicemesh/sluice/cni/node/repair"
)

// decideOptions are the flags of decide, which looks at no host.
type decideOptions struct{ file, keys string }

func (o *decideOptions) register(f *flag.FlagSet) {
	f.StringVar(&o.file, "f", "", "manifest of pods or of what makes them, YAML or JSON, several documents and lists allowed; - reads standard input")
	f.StringVar(&o.keys, "plugin-config", "", "the plugin's settings: a JSON object, or @FILE")
}

// decideCommand prints the plugin's decision for every pod of a manifest.
func decideCommand(_ context.Context, args []string, out, log io.Writer) error {
	var o decideOptions
	if err := parse("decide", args, log, o.register); err != nil {
		return err
	}
	if o.file == "" {
		return badUsage("decide wants -f FILE")
	}
	config, err := o.config()
	if err != nil {
		return err
	}
	text, err := readFile(o.file)
	if err != nil {
		return err
	}
	m, err := readManifest(text)
	if err != nil {
		return err
	}
	return decideAll(out, log, m, config)
}

func (o *decideOptions) config() (netconf.Config, error) {
	keys, err := readKeys(o.keys)
	if err != nil {
		return netconf.Config{}, err
	}
	_, config, err := agent.Entry(keys, netconf.DefaultSocket)
	if err != nil {
		return config, badUsage(err.Error())
	}
	return config, nil
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// decideAll fails if there is no pod, or one that would not start.
func decideAll(out, log io.Writer, m manifest, config netconf.Config) error {
	for _, other := range m.others {
		_, _ = fmt.Fprintf(log, "%s: makes no pod, passed over\n", other) // a remark
	}
	if len(m.subjects) == 0 {
		return errors.New("the manifest has no pod, and nothing known here that makes pods")
	}
	refused := 0
	for _, s := range m.subjects {
		text, outcome := s.decide(config)
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
		if outcome == decide.Fail {
			refused++
		}
	}
	if refused > 0 {
		return fmt.Errorf("the plugin would refuse %d of %d pods", refused, len(m.subjects))
	}
	return nil
}

// decide says what would happen to the pod. For some the plugin is never called.
func (s subject) decide(config netconf.Config) (text string, outcome decide.Outcome) {
	switch {
	case s.pod.HostNetwork:
		return fmt.Sprintf("%s: pass (no plugin call): the pod is in the host's network, for which runtimes call no plugin\n", s), decide.Pass
	case s.windows:
		return fmt.Sprintf("%s: pass (no plugin call): the pod is for Windows nodes, where the plugin is not\n", s), decide.Pass
	}
	d := repair.Decide(config, s.pod)
	if s.kind != "Pod" && (d.Reason == "no-proxy" || d.Reason == "not-injected") {
		d.Detail += "; so far: the mesh's injector may add it to the pods that are made of this template"
	}
	return describe(s.String(), d), d.Outcome
}

func describe(name string, d decide.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (row %d, %s): %s\n", name, d.Outcome, d.Row, d.Reason, d.Detail)
	for _, err := range d.Errs {
		fmt.Fprintf(&b, "  error: %v\n", err)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", w.Text)
	}
	if d.Outcome == decide.Program {
		for _, s := range settings(d.Inputs) {
			fmt.Fprintf(&b, "  setting: %s=%s (%s)\n", s.Flag, s.Value, s.Origin)
		}
	}
	return b.String()
}

// settings are those that are not defaults, as they count.
func settings(inputs []builder.Input) (given []builder.Effective) {
	parsed, err := builder.Parse(inputs, builder.Options{})
	if err != nil {
		return nil // the decision has said so
	}
	for _, s := range parsed.Settings() {
		if s.Given() {
			given = append(given, s)
		}
	}
	return given
}
