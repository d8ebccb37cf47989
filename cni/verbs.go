package cni

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicemesh/sluice/cni/decide"
	"github.com/sluicemesh/sluice/cni/netconf"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// Deadlines of the two conversations with the agent. A report is worth less
// than a pod's start; the question may cost the agent a look at the API server.
const (
	askTimeout  = 5 * time.Second
	tellTimeout = 100 * time.Millisecond
)

// add programs the container if the decision says so. What it will answer is
// known before, so that nothing is programmed for a call that fails.
func (c *call) add() error {
	d := c.decide()
	answer, err := result(c.Config.CNIVersion, c.Config.PrevResult)
	var applied Applied
	if err == nil {
		d, applied, err = c.obey(d)
	}
	c.report(d, applied, err)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Stdout, "%s\n", answer)
	return err
}

// obey does what the decision says, or what it became on the way.
func (c *call) obey(d decide.Decision) (decide.Decision, Applied, error) {
	if d.Reason == decide.StaticSettings {
		var err error
		if d, err = c.claim(d); err != nil {
			return d, Applied{}, err
		}
	}
	switch d.Outcome {
	case decide.Pass:
		return d, Applied{}, nil
	case decide.Fail:
		return d, Applied{}, c.refusal(d)
	}
	applied, err := c.Rules.Apply(c.ctx, c.Netns, d.Config)
	return d, applied, err
}

// claim notes whose DEL removes the rules before there are any: an ADD that is
// killed, or fails in any other way, leaves nothing that DEL does not find.
// Of interfaces that come at the same time one is the first.
func (c *call) claim(d decide.Decision) (decide.Decision, error) {
	first, err := c.Memory.Claim(c.ContainerID, c.Ifname)
	switch {
	case err != nil:
		return d, &Error{
			Code: CodeApply, Message: "nothing was programmed, since DEL would not remove it", Details: "it cannot be noted: " + err.Error(), Err: err,
		}
	case first != c.Ifname:
		return c.decideAfter(first), nil
	}
	return d, nil
}

// check compares the namespace with what ADD would program.
func (c *call) check() error {
	d := c.decide()
	err := error(nil)
	switch d.Outcome {
	case decide.Fail:
		err = c.refusal(d)
	case decide.Program:
		err = c.Rules.Check(c.ctx, c.Netns, d.Config)
	}
	c.report(d, Applied{}, err)
	return err
}

// del changes nothing for a Kubernetes pod: the rules die with the namespace,
// and until then none of its processes may pass uncaptured. Without Kubernetes
// a namespace may outlive its network, so there the interface that was
// programmed for takes the rules with it. Nothing that is gone is an error.
func (c *call) del() error {
	readable := c.ArgsErr == nil
	if !readable || c.Args.Kubernetes() {
		return nil
	}
	if ifname, err := c.Memory.Recall(c.ContainerID); err != nil || ifname != c.Ifname {
		return err
	}
	if c.Netns != "" {
		if err := c.Rules.Remove(c.ctx, c.Netns); err != nil {
			return err
		}
		c.log.Info("removed", "netns", c.Netns)
	}
	return c.Memory.Forget(c.ContainerID)
}

// gc: rules live in namespaces that the runtime deletes.
func (c *call) gc() error { return nil }

// status says whether this node can program pods at all. Runtimes take the
// whole node out of service on a failure, so an absent agent is one only
// where every pod needs it.
func (c *call) status() error {
	if err := c.Rules.Usable(c.ctx); err != nil {
		return &Error{Code: CodeUnavailable, Message: "no way to load rules works on this host", Details: err.Error(), Err: err}
	}
	if c.Config.AgentRequired != netconf.Always {
		return nil
	}
	if err := c.speak(c.Agent.Tell, podapi.Report{Verb: c.Verb, Outcome: string(decide.Pass), Reason: "status"}); err != nil {
		return &Error{Code: CodeUnavailable, Message: "the node agent does not answer, and agent_required is always", Details: err.Error(), Err: err}
	}
	return nil
}

// decide decides by what is remembered of the container. Where that cannot be
// read, ADD cannot claim the container either, and CHECK compares.
func (c *call) decide() decide.Decision {
	if c.Args.Kubernetes() {
		return c.decideAfter("")
	}
	first, _ := c.Memory.Recall(c.ContainerID)
	return c.decideAfter(first)
}

// decideAfter goes through the table, and asks the agent if a row needs the pod.
func (c *call) decideAfter(first string) decide.Decision {
	f := decide.Facts{Args: c.Args, ArgsErr: c.ArgsErr, Config: c.Config, ConfigErr: c.ConfigErr, Interface: c.Ifname, First: first}
	d := decide.Decide(f)
	if d.Outcome != decide.Ask {
		return d
	}
	f.Asked = true
	f.Pod, f.PodErr = c.ask()
	return decide.Decide(f)
}

// ask may take half of the time that is left, so that the other half remains
// for the rules.
func (c *call) ask() (*podapi.Pod, error) {
	wait := askTimeout
	if end, ok := c.ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(c.ctx, wait)
	defer cancel()
	res, err := c.Agent.Ask(ctx, c.Config.Socket, podapi.Request{
		Namespace: c.Args.Namespace, Name: c.Args.Name, UID: c.Args.UID, ContainerID: c.ContainerID,
		NoAnnotations: !c.Config.AnnotationsKnown,
	})
	if err != nil || !res.Found {
		return nil, err
	}
	return res.Pod, nil
}

func (c *call) refusal(d decide.Decision) error {
	return &Error{Code: d.Code, Message: d.Detail, Details: c.details(d), Err: errors.Join(d.Errs...)}
}

// details leaves out what the sentence says already.
func (c *call) details(d decide.Decision) string {
	switch {
	case d.Code != decide.CodeTryAgain:
		return joinErrors(d.Errs)
	case c.Verb == "CHECK":
		return "the pod's rules were not compared, and nothing was changed"
	}
	return "the pod is not started, since it would not be captured; the runtime tries again"
}

// report writes the one log line of a decision and tells the agent.
func (c *call) report(d decide.Decision, a Applied, err error) {
	c.reported = true
	r := podapi.Report{
		Verb: c.Verb, Namespace: c.Args.Namespace, Name: c.Args.Name, UID: c.Args.UID, ContainerID: c.ContainerID,
		Outcome: string(d.Outcome), Reason: d.Reason, Backend: a.Backend, Micros: c.Now().Sub(c.begin).Microseconds(),
	}
	for _, w := range d.Warnings {
		r.Warnings = append(r.Warnings, w.Text)
	}
	r.Warnings = append(r.Warnings, a.Warnings...)
	if err != nil {
		r.Outcome, r.Code, r.Message = string(decide.Fail), int(codeOf(err)), err.Error()
	}
	c.logReport(d, r)
	if err := c.speak(c.Agent.Note, r); err != nil {
		c.log.Debug("the agent was not told", "error", err)
	}
}

// reportUndecided reports an error that no decision came before: a call that
// cannot be understood, or a verb that decides nothing.
func (c *call) reportUndecided(err error) {
	if !c.reported {
		c.report(decide.Decision{Outcome: decide.Fail, Reason: undecided, Detail: "no decision was made"}, Applied{}, err)
	}
}

// undecided is the reason of such a report.
const undecided = "undecided"

func (c *call) logReport(d decide.Decision, r podapi.Report) {
	for _, w := range append(r.Warnings, c.Config.Warnings...) {
		c.log.Warn(w, "pod", r.Namespace+"/"+r.Name)
	}
	attrs := []any{
		"outcome", r.Outcome, "reason", r.Reason, "row", d.Row, "detail", d.Detail,
		"pod", r.Namespace + "/" + r.Name, "netns", c.Netns, "ifname", c.Ifname, "took", time.Duration(r.Micros) * time.Microsecond,
	}
	if r.Backend != "" {
		attrs = append(attrs, "backend", r.Backend)
	}
	if r.Code != 0 {
		c.log.Error(oneLine(r.Message), append(attrs, "code", r.Code)...)
		return
	}
	c.log.Info("decided", attrs...)
}

// speak talks to the agent within its own short deadline.
func (c *call) speak(to func(context.Context, string, podapi.Report) error, r podapi.Report) error {
	ctx, cancel := context.WithTimeout(c.ctx, tellTimeout)
	defer cancel()
	return to(ctx, c.Config.Socket, r)
}
