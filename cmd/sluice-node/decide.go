package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/sluicemesh/sluice/cni/decide"
	"github.com/sluicemesh/sluice/cni/node/agent"
	"github.com/sluicemesh/sluice/cni/node/repair"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// decideCommand prints the plugin's decision for every pod of a manifest.
func decideCommand(_ context.Context, args []string, out, log io.Writer) error {
	var h host
	var file string
	err := parse("decide", args, log, h.register, func(f *flag.FlagSet) {
		f.StringVar(&file, "f", "", "manifest of pods, YAML or JSON, several documents allowed; - reads standard input")
	})
	if err != nil {
		return err
	}
	if file == "" {
		return badUsage("decide wants -f FILE")
	}
	doc, err := readFile(file)
	if err != nil {
		return err
	}
	return decideAll(out, doc, h.keys, h.socket)
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

func decideAll(out io.Writer, doc []byte, keys, socket string) error {
	_, config, err := agent.Entry([]byte(keys), socket)
	if err != nil {
		return badUsage(err.Error())
	}
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(doc), 4096)
	for {
		var raw yamlDoc
		if err := docs.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		pod, err := podsettings.Decode(raw)
		if err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if pod.Namespace == "" {
			pod.Namespace = "default"
		}
		if _, err := io.WriteString(out, describe(pod.Namespace+"/"+pod.Name, repair.Decide(config, pod))); err != nil {
			return err
		}
	}
}

// yamlDoc takes one document as it is.
type yamlDoc []byte

func (d *yamlDoc) UnmarshalJSON(raw []byte) error {
	*d = bytes.Clone(raw)
	return nil
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
	return b.String()
}
