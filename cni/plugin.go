package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// Agent is the node agent, as package podapi speaks to it.
type Agent interface {
	// Ask asks for one pod over the socket at path.
	Ask(ctx context.Context, path string, q podapi.Request) (podapi.Response, error)
	// Note reports what a call did, without waiting for the agent to read it.
	Note(ctx context.Context, path string, r podapi.Report) error
	// Tell is Note that waits.
	Tell(ctx context.Context, path string, r podapi.Report) error
}

// Rules loads, compares and removes rules in a namespace. Its errors are
// *Error where a code other than CodeApply fits.
type Rules interface {
	// Apply makes the namespace's rules those of the settings and reads them
	// back.
	Apply(ctx context.Context, netns string, c builder.Config) (Applied, error)
	// Check compares without changing anything; the error names the first
	// difference.
	Check(ctx context.Context, netns string, c builder.Config) error
	// Remove removes everything of ours. A namespace that is gone is no error.
	Remove(ctx context.Context, netns string) error
	// Usable is nil if at least one way to load rules works on this host.
	Usable(ctx context.Context) error
}

// Applied is what Apply did.
type Applied struct {
	Backend  string
	Changed  bool
	Warnings []string
}

// Plugin is the program, with everything it touches as a field.
type Plugin struct {
	Getenv func(string) string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Agent  Agent
	Rules  Rules
	Memory Memory
	Now    func() time.Time
}

// Run serves one call and returns the process's exit code, 0 or 1.
func (p Plugin) Run(ctx context.Context) int {
	begin := p.Now()
	doc, err := readInput(p.Stdin)
	if p.Getenv("CNI_COMMAND") == "VERSION" {
		return p.version(doc)
	}
	r := readRequest(p.Getenv, doc)
	log, closeLog := openLog(p.Stderr, r.Config.LogFile, r.Config.LogLevel)
	defer closeLog()
	ctx, cancel := context.WithDeadline(ctx, begin.Add(r.Config.Timeout))
	defer cancel()
	c := &call{Plugin: p, Request: r, ctx: ctx, begin: begin, log: log.With("verb", r.Verb, "container", r.ContainerID)}
	if err == nil {
		err = c.serve()
	}
	if err != nil {
		c.reportUndecided(err)
		return p.fail(answerVersion(r), err)
	}
	return 0
}

// call is one request being served.
type call struct {
	Plugin
	Request
	ctx      context.Context
	begin    time.Time
	log      *slog.Logger
	reported bool // the call's one line is written
}

func (c *call) serve() error {
	v, err := c.verb()
	if err != nil {
		return err
	}
	return v.run(c)
}

// answerVersion is the config's version where it is one, else our newest.
func answerVersion(r Request) string {
	if r.checkVersion(verb{since: versions()[0]}) != nil {
		return newest
	}
	return r.Config.CNIVersion
}

func (p Plugin) fail(version string, err error) int {
	// Where nobody reads the answer, the exit code still says it.
	_, _ = fmt.Fprintf(p.Stdout, "%s\n", document(version, err))
	return 1
}

// version answers VERSION, in the version that the caller asks in.
func (p Plugin) version(input []byte) int {
	var asked struct{ CNIVersion string }
	// An old runtime sends nothing; garbage gets the answer of today.
	_ = json.Unmarshal(input, &asked)
	if asked.CNIVersion == "" {
		asked.CNIVersion = newest
	}
	doc, err := json.Marshal(map[string]any{"cniVersion": asked.CNIVersion, "supportedVersions": versions()})
	if err != nil {
		return p.fail(newest, err)
	}
	if _, err := fmt.Fprintf(p.Stdout, "%s\n", doc); err != nil {
		return 1
	}
	return 0
}
