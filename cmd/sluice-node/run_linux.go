package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"

	"github.com/sluicemesh/sluice/cni/node/agent"
	"github.com/sluicemesh/sluice/cni/node/events"
	"github.com/sluicemesh/sluice/cni/node/repair"
	"github.com/sluicemesh/sluice/cni/node/taint"
)

// options are the flags of run beside the host's.
type options struct {
	host
	node, kubeconfig, http, proc string
	namespace, daemonSet         string
	jitter, grace                time.Duration
	pprof                        bool
	taint                        string
	modes                        list
	container                    string
	exitCode                     int
	labelKey, labelValue         string
}

func (o *options) register(f *flag.FlagSet) {
	o.host.register(f)
	verdict := repair.DefaultVerdict()
	f.StringVar(&o.node, "node-name", "", "this node's name in the cluster (required)")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "credentials outside of a pod; empty means the pod's own")
	f.StringVar(&o.http, "http", ":15014", "address of /healthz, /readyz and /metrics")
	f.BoolVar(&o.pprof, "pprof", false, "serve /debug/pprof there too")
	f.DurationVar(&o.jitter, "list-jitter", 2*time.Second, "the first pod list is held back by a random time up to this")
	f.StringVar(&o.taint, "startup-taint", "", "key of a taint to take off this node when it is ready; empty means none")
	f.Var(&o.modes, "repair", "what to do about pods that started without rules: repair, delete, label (comma-separated)")
	f.StringVar(&o.container, "validation-container", verdict.Container, "the init container by whose failure such pods are known")
	f.IntVar(&o.exitCode, "validation-exit-code", int(verdict.ExitCode), "and the exit code that it fails with")
	f.StringVar(&o.labelKey, "repair-label-key", "sluice.sluicemesh.io/uninitialized", "label that the mode label sets")
	f.StringVar(&o.labelValue, "repair-label-value", "true", "and its value")
	f.StringVar(&o.proc, "proc", "/proc", "where the host's /proc is seen, for repair")
	f.StringVar(&o.namespace, "namespace", "", "this DaemonSet's namespace, for --uninstall-with")
	f.StringVar(&o.daemonSet, "uninstall-with", "", "uninstall at the end if the DaemonSet of this name, or its namespace, is being deleted or gone")
	registerGrace(f, &o.grace)
}

func run(ctx context.Context, args []string, _, log io.Writer) error {
	var o options
	if err := parse("run", args, log, o.register); err != nil {
		return err
	}
	if o.node == "" {
		return badUsage("--node-name is required")
	}
	if err := o.checkRepair(); err != nil {
		return err
	}
	client, err := clientOf(o.kubeconfig)
	if err != nil {
		return err
	}
	a, err := o.agent(client, log)
	if err != nil {
		return err
	}
	if err := a.Run(ctx); err != nil {
		return err
	}
	return o.leave(a)
}

func (o *options) agent(client kubernetes.Interface, w io.Writer) (*agent.Agent, error) {
	log, err := o.logger(w)
	if err != nil {
		return nil, err
	}
	installer, config, err := o.installer(w)
	if err != nil {
		return nil, err
	}
	modes, err := repair.Modes(o.modes)
	if err != nil {
		return nil, badUsage(err.Error())
	}
	if o.taint != "" {
		if err := taint.Check(o.taint); err != nil {
			return nil, badUsage(err.Error())
		}
	}
	listener, err := net.Listen("tcp", o.http)
	if err != nil {
		return nil, err
	}
	return &agent.Agent{
		Client: client, Node: o.node, Log: log, Socket: o.socket, HTTP: listener, Profiles: o.pprof,
		Installer: installer, Delay: rand.N(max(o.jitter, 1)), Taint: o.taint, Namespace: o.namespace,
		Modes: modes, Verdict: repair.Verdict{Container: o.container, ExitCode: int32(o.exitCode)},
		Hands: repair.Hands{
			Client: client, Config: config, Log: log, LabelKey: o.labelKey, LabelValue: o.labelValue,
			Events: events.Teller{Client: client, Node: o.node, Now: time.Now},
			Apply:  repair.Namespaces{Proc: o.proc}.Apply,
		},
	}, nil
}

// checkRepair refuses what no container ends with, and labels that no API
// server would set.
func (o *options) checkRepair() error {
	const most = 255 // a process's exit code is a byte
	if o.exitCode < 1 || o.exitCode > most {
		return badUsage(fmt.Sprintf("--validation-exit-code %d: want 1 to %d", o.exitCode, most))
	}
	for _, flag := range []struct {
		name, value string
		problems    []string
	}{
		{"--repair-label-key", o.labelKey, validation.IsQualifiedName(o.labelKey)},
		{"--repair-label-value", o.labelValue, validation.IsValidLabelValue(o.labelValue)},
	} {
		if len(flag.problems) > 0 {
			return badUsage(fmt.Sprintf("%s %q: %s", flag.name, flag.value, strings.Join(flag.problems, "; ")))
		}
	}
	return nil
}

// leave uninstalls if the agent ends because it is no longer wanted, and leaves
// everything in place on a rolling upgrade, a restart, or when in doubt.
func (o *options) leave(a *agent.Agent) error {
	if o.daemonSet == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second+o.grace)
	defer cancel()
	gone, err := a.Retired(ctx, o.daemonSet)
	a.Log.Info("ending", "retired", gone, "err", err)
	if !gone {
		return nil
	}
	removed, err := a.Installer.Uninstall(ctx, o.grace)
	a.Log.Info("uninstalled", "changes", removed, "err", err)
	return err
}
