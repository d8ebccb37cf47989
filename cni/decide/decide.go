// Package decide says what the plugin does with a container: the decision
// table of docs/cni.md, as a table. It is pure; whoever holds the facts (the
// plugin, the node agent, a person with a manifest) gets the same answer.
package decide

import (
	"fmt"
	"slices"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
	"github.com/sluicemesh/sluice/cni/podsettings"
)

// Outcome is what happens to the container.
type Outcome string

// The outcomes. Ask is none for the runtime: ask the node agent for the pod
// and decide again.
const (
	Pass    Outcome = "pass"
	Program Outcome = "program"
	Fail    Outcome = "error"
	Ask     Outcome = "ask"
)

// Facts is all that a decision rests on.
type Facts struct {
	Args      netconf.Args
	ArgsErr   error // CNI_ARGS could not be read
	Config    netconf.Config
	ConfigErr error // the network configuration could not be read

	// Interface is the one that the call is for, and First the one for which
	// this container was programmed before. They matter without Kubernetes only;
	// First is empty where nothing was, or nothing is known.
	Interface, First string

	// Asked is true once the agent has been asked; then Pod is the answer, or
	// nil and PodErr says why there is none.
	Asked  bool
	Pod    *podapi.Pod
	PodErr error
}

// Decision is one row of the table.
type Decision struct {
	Row     int
	Reason  string // stable, a metric label
	Outcome Outcome
	Detail  string // one sentence for the log and for people

	// Inputs and Config are what to program when Outcome is Program: the
	// settings as they were found, and parsed.
	Inputs []builder.Input
	Config builder.Config
	// Warnings are about what is programmed.
	Warnings []podsettings.Warning
	// Code and Errs are set when Outcome is Fail.
	Code uint
	Errs []error
}

// StaticSettings is the reason of the row by which containers that are no
// Kubernetes pods are programmed: the only ones whose rules DEL removes.
const StaticSettings = "static-settings"

// row is a condition and what follows; the first row that holds decides.
type row struct {
	number  int
	reason  string
	outcome Outcome
	when    func(*Facts) bool
	detail  func(*Facts) string
	fill    func(*Facts, *Decision) // what else the decision carries
}

// Decide goes through the table. The last row holds for everything.
func Decide(f Facts) Decision {
	rows := table()
	i := slices.IndexFunc(rows, func(r row) bool { return r.when(&f) })
	r := rows[i]
	d := Decision{Row: r.number, Reason: r.reason, Outcome: r.outcome, Detail: r.detail(&f)}
	if r.fill != nil {
		r.fill(&f, &d)
	}
	return d
}

func table() []row {
	return []row{
		{1, "bad-cni-args", Fail, argsUnreadable, text("CNI_ARGS cannot be read"), failArgs},
		{1, "bad-config", Fail, configUnreadable, text("the network config cannot be read"), failConfig},
		{2, "second-interface", Pass, secondInterface, secondDetail, nil},
		{2, "bad-config-value", Fail, invalidStatic, text("the network config has bad values"), failConfigValues},
		{2, "mode-none", Pass, staticNone, text("no Kubernetes pod; the settings say mode NONE"), nil},
		{2, StaticSettings, Program, static, text("no Kubernetes pod; the network config's or CNI_ARGS' settings hold"), useStatic},
		{2, "no-kubernetes-pod", Pass, notKubernetes, text("no Kubernetes pod, and no settings in the network config"), nil},
		{3, "namespace-excluded", Pass, excluded, namespaceDetail, nil},
		{4, "not-injected", Pass, knownUnmeshed, text("the annotations carry no " + podapi.StatusAnnotation), nil},
		{5, "pod-wanted", Ask, notAsked, text("the pod's containers decide"), nil},
		{5, "pod-unknown", Fail, mustBeKnown, unknownDetail, failUnknown},
		{5, "pod-unknown-passed", Pass, unknown, unknownDetail, nil},
		{6, "istio-init", Pass, hasContainer(podsettings.InitContainer), text("the pod has an " + podsettings.InitContainer + " container, which does the job itself"), nil},
		{7, "envoy-disabled", Pass, envoyDisabled, text("DISABLE_ENVOY is true on " + podapi.ProxyName), nil},
		{8, "no-proxy", Pass, lacksProxy, text("no container is named " + podapi.ProxyName), nil},
		{9, "proxy-type", Pass, notSidecar, proxyTypeDetail, nil},
		{10, "injection-off", Pass, injectionOff, text(podapi.InjectKey + " is false"), nil},
		{11, "not-injected", Pass, unmeshed, text("the pod has no annotation " + podapi.StatusAnnotation), nil},
		{12, "mode-none", Pass, modeNone, text("the interception mode is NONE"), nil},
		{13, "invalid-settings", Fail, invalid, text("the pod's settings are not valid"), failSettings},
		{13, "bad-config-value", Fail, badConfig, text("the network config has bad values"), failConfigValues},
		{14, "meshed", Program, always, text("the pod is meshed"), usePod},
	}
}

func text(s string) func(*Facts) string { return func(*Facts) string { return s } }

func always(*Facts) bool             { return true }
func argsUnreadable(f *Facts) bool   { return f.ArgsErr != nil || badStaticArgs(f) != nil }
func configUnreadable(f *Facts) bool { return f.ConfigErr != nil }

func static(f *Facts) bool {
	return notKubernetes(f) && (f.Config.HasStatic || f.Args.HasConfig)
}

// secondInterface leaves a container as its first interface has made it: the
// rules are the namespace's, and the settings of another network may differ.
// A container starts only if the ADD of each of its interfaces has succeeded,
// that of the first one too.
func secondInterface(f *Facts) bool {
	return static(f) && f.First != "" && f.First != f.Interface
}

func secondDetail(f *Facts) string {
	return "the container was programmed for its interface " + f.First + ", whose settings hold"
}

func notKubernetes(f *Facts) bool { return !f.Args.Kubernetes() }

func excluded(f *Facts) bool {
	return slices.Contains(f.Config.ExcludeNamespaces, f.Args.Namespace)
}

func namespaceDetail(f *Facts) string { return "namespace " + f.Args.Namespace + " is excluded" }

// knownUnmeshed needs no look-up, unless the node's owner wants one for each pod.
func knownUnmeshed(f *Facts) bool {
	return f.Config.AnnotationsKnown && !podsettings.Injected(f.Config.Annotations) &&
		f.Config.AgentRequired != netconf.Always
}

func notAsked(f *Facts) bool { return !f.Asked }
func unknown(f *Facts) bool  { return f.Pod == nil || !f.Pod.Is(f.Args.UID) }

// mustBeKnown: a pod that says it is meshed always waits; one of which nothing
// is known passes only if the node's owner says so.
func mustBeKnown(f *Facts) bool {
	return unknown(f) && (f.Config.AnnotationsKnown || f.Config.AgentRequired != netconf.Never)
}

func unknownDetail(f *Facts) string {
	switch {
	case f.PodErr != nil:
		return "the node agent cannot say what this pod is: " + f.PodErr.Error()
	case f.Pod != nil:
		return fmt.Sprintf("the node agent knows %s/%s with another uid (%s, asked for %s)",
			f.Args.Namespace, f.Args.Name, f.Pod.UID, f.Args.UID)
	}
	return fmt.Sprintf("the node agent does not know pod %s/%s with uid %s", f.Args.Namespace, f.Args.Name, f.Args.UID)
}

func hasContainer(name string) func(*Facts) bool {
	return func(f *Facts) bool {
		_, ok := podsettings.Container(*f.Pod, name)
		return ok
	}
}

func envoyDisabled(f *Facts) bool { return podsettings.EnvoyDisabled(*f.Pod) }
func lacksProxy(f *Facts) bool    { return !hasContainer(podapi.ProxyName)(f) }

func notSidecar(f *Facts) bool {
	proxy, _ := podsettings.Container(*f.Pod, podapi.ProxyName)
	return proxy.ProxyType != "" && proxy.ProxyType != "sidecar"
}

func proxyTypeDetail(f *Facts) string {
	proxy, _ := podsettings.Container(*f.Pod, podapi.ProxyName)
	return "the proxy is a " + proxy.ProxyType + ", not a sidecar"
}

func injectionOff(f *Facts) bool { return podsettings.InjectionOff(*f.Pod) }
func unmeshed(f *Facts) bool     { return !podsettings.Injected(f.Pod.Annotations) }
func modeNone(f *Facts) bool     { return podsettings.Mode(*f.Pod) == "NONE" }
