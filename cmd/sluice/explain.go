package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/explain"
)

// questionOptions say which connection is meant.
func questionOptions() []option {
	return []option{
		{flag: "from", help: "who connects: app, proxy, outside, or uid:N or uid:N,gid:N (default app)"},
		{flag: "to", help: "where to: ADDRESS:PORT, [ADDRESS]:PORT, or :PORT of the pod itself; with /udp for UDP"},
		{flag: "in", boolean: true, help: "the connection arrives from outside; the same as from outside"},
		{flag: "iface", help: "interface by which it leaves or arrives (default lo to the pod itself, else eth0)"},
		{flag: "source", help: "address that it comes from"},
		{flag: "pod-ip", help: "addresses of the pod, separated by commas"},
	}
}

// rulesOptions say which rules are asked.
func rulesOptions() []option {
	return []option{
		{flag: "rules", help: "files of saved rules (iptables-save, ip6tables-save, iptables -S), separated by commas; - is stdin"},
		{flag: "live", boolean: true, help: "the rules of this namespace, or of the one that netns names"},
	}
}

func explainCommand(p program) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain --to ADDRESS:PORT [flags]",
		Short: "Say what happens to one connection, step by step, and which setting decided",
		Long: `Sends one connection through the rules that the settings make, that a file
holds (another tool's too), or that stand in a namespace, and answers in a
sentence, then with the way through every rule, then with what to change if
something else was wanted. A condition that sluice does not model is named, and
both outcomes are shown.`,
		Example: `  sluice explain -b '*' -i '*' --to 192.0.2.80:443
  sluice explain -f deploy/ --from proxy --to :8080
  iptables-save | sluice explain --rules - --in --to :8080
  sluice explain --live --netns web --to 192.0.2.80:443/udp`,
		Args: noWords,
	}
	own := []option{
		{flag: "all", boolean: true, help: "show every rule; by default a long run that does not match is one line"},
		{flag: "format", fallback: "text", help: "text or json"},
	}
	v := bind(c, p, questionOptions(), rulesOptions(), own, settingOptions(), sourceOptions(), namespaceOptions(), logOptions())
	c.RunE = func(c *cobra.Command, _ []string) error { return runExplain(c.Context(), p, v) }
	return c
}

// quiet is how many rules in a row that do not match are still listed.
const quiet = 12

// explained is what is said about one subject.
type explained struct {
	Workload string           `json:"workload,omitempty"`
	Left     string           `json:"leftAlone,omitempty"` // why, of a workload without rules
	Note     string           `json:"note,omitempty"`      // what else is to be known
	Answers  []explain.Answer `json:"answers,omitempty"`
}

func runExplain(ctx context.Context, p program, v *values) error {
	a := applyRun{p: p, v: v, log: newLogger(p, v), known: offline()}
	format := v.oneOf("format", "text", "json")
	question := v.question()
	subjects, err := a.subjects(ctx)
	if err != nil {
		return err
	}
	if err := a.placed(ctx, subjects, question); err != nil {
		return err
	}
	list := []explained{}
	for _, s := range subjects {
		list = append(list, answer(s, question))
	}
	if format == "json" {
		return printJSON(p.stdout, list)
	}
	width := quiet
	if v.bool("all") {
		width = 0
	}
	texts := make([]string, 0, len(list))
	for _, e := range list {
		texts = append(texts, e.text(width))
	}
	_, err = io.WriteString(p.stdout, strings.Join(texts, "\n"))
	return err
}

// question reads the question that flags ask.
func (v *values) question() explain.Question {
	a := explain.Asked{From: v.text("from"), To: v.text("to"), In: v.bool("in"), Interface: v.text("iface"), Source: v.text("source")}
	a.PodIPs = items(v.text("pod-ip"))
	return v.parsed("", a)
}

// parsed is a question. What is wrong with it is reported together with what is
// wrong with the settings, and as that of one flag if its parts have none each.
func (v *values) parsed(flag string, a explain.Asked) explain.Question {
	q, err := a.Parse()
	var bad explain.QuestionErrors
	errors.As(err, &bad)
	for _, e := range bad {
		v.refuse(cmp.Or(flag, e.Option), e.Value, e.Reason, e.Accepted)
	}
	return q
}

func answer(s subject, q explain.Question) explained {
	e := explained{Left: s.left, Note: s.note}
	if s.parsed != nil || s.left != "" {
		e.Workload = s.title
	}
	if s.left != "" {
		return e
	}
	origin := s.title
	if origin == "" {
		origin = "settings"
	}
	e.Answers = explain.Ask(explain.Subject{Rules: s.rules, Config: s.config(), Origin: origin, Place: s.place, Annotation: annotationOf}, q)
	return e
}

func (e explained) text(width int) string {
	if e.Left != "" {
		return e.Workload + ": " + e.Left + "\n"
	}
	texts := make([]string, 0, len(e.Answers)+1)
	for _, a := range e.Answers {
		texts = append(texts, a.Text(width))
	}
	if e.Note != "" {
		texts = append(texts, "Beware: "+e.Note+".\n")
	}
	return strings.Join(texts, "\n")
}

// subjects are what the options name: saved rules, a living namespace, the
// workloads of manifests, or the command's own settings.
func (a applyRun) subjects(ctx context.Context) ([]subject, error) {
	a.v.booleans()
	rules, live, manifest := a.v.text("rules"), a.v.bool("live"), a.v.text("filename")
	if rules != "" || live {
		a.v.refuseSettings("is a setting, and the rules are there already", "without --rules and --live")
	}
	if name := a.v.namespace(); name != "" && !live {
		a.v.refuse("netns", name, "names a namespace whose rules nobody asked for", "beside --live")
	}
	if err := oneSource(rules != "", live, manifest != ""); err != nil {
		return nil, err
	}
	switch {
	case len(a.v.problems) > 0 && (rules != "" || live):
		return nil, a.v.problems
	case rules != "":
		s, err := readDumps(a.p.stdin, items(rules))
		return []subject{s}, err
	case live:
		return readLive(ctx, a.log, a.v.namespace())
	case manifest != "":
		return a.fromManifests(manifest)
	}
	parsed, err := a.config()
	if err != nil {
		return nil, err
	}
	a.capturesSomething(parsed)
	return []subject{built("", parsed)}, nil
}

func oneSource(given ...bool) error {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	if n > 1 {
		return &usageError{errors.New("only one of --rules, --live and -f can say which rules are meant, not " + strconv.Itoa(n))}
	}
	return nil
}

// capturesSomething warns of settings under which nothing is captured: whoever
// asks about them has most likely forgotten the flags.
func (a applyRun) capturesSomething(parsed builder.Parsed) {
	if unset(parsed.Settings(), "istio-inbound-ports", "istio-service-cidr", "istio-outbound-ports") {
		a.log.warn("no setting captures anything: -b '*' and -i '*' are what a mesh usually sets")
	}
}

// unset says whether none of some settings was given.
func unset(settings []builder.Effective, flags ...string) bool {
	for _, e := range settings {
		if slices.Contains(flags, e.Flag) && e.Value != "" {
			return false
		}
	}
	return true
}

// namespace is the namespace that the options name, "" for this one.
func (v *values) namespace() string {
	if name := v.text("netns"); name != "" {
		return name
	}
	return v.text("network-namespace")
}
