package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicemesh/sluice/builder"
)

// option is a flag with the environment variables that stand for it. All flags
// are read as text: one parser serves flags, environment and files.
type option struct {
	flag, short string
	env         []string
	fallback    string
	help        string
	boolean     bool
	once        bool // two of it are a mistake, not a change of mind
	policy      bool // one of package builder's settings
	hidden      bool
	word        *word // once it is bound to a command
}

// settingOptions are the options of the policy.
func settingOptions() []option {
	settings := builder.Settings()
	list := make([]option, 0, len(settings))
	for _, s := range settings {
		list = append(list, option{flag: s.Flag, short: s.Short, env: s.Env, fallback: s.Default, help: s.Help, boolean: s.Bool, policy: true})
	}
	return list
}

// values are the options of one command, as they were given.
type values struct {
	options []option
	env     func(string) (string, bool)
	noEnv   bool // with a manifest, the environment is somebody else's
	// problems gathers every bad value, so that all are reported together.
	problems builder.Problems
	notes    []string
}

// bind adds options to a command.
func bind(c *cobra.Command, p program, options ...[]option) *values {
	v := &values{env: p.env, options: slices.Concat(options...)}
	words := make([]word, len(v.options))
	for i := range v.options {
		o := &v.options[i]
		o.word = &words[i]
		o.word.declare(c.Flags(), *o)
	}
	c.Flags().SortFlags = false
	return v
}

// word is an option as it stands on the command line.
type word struct {
	pflag.Flag
	text          string
	boolean, once bool
}

func (w *word) declare(fs *pflag.FlagSet, o option) {
	w.boolean, w.once = o.boolean, o.once
	w.Flag = pflag.Flag{Name: o.flag, Shorthand: o.short, Usage: o.usage(), Value: w, Hidden: o.hidden}
	if o.boolean {
		w.NoOptDefVal = "true"
	}
	fs.AddFlag(&w.Flag)
}

func (w *word) String() string { return w.text }

// Set takes the text; whoever asks for the option parses it.
func (w *word) Set(text string) error {
	if w.once && w.Changed {
		return errors.New("given twice")
	}
	w.text = text
	return nil
}

// Type is what help and completion show.
func (w *word) Type() string {
	if w.boolean {
		return "bool"
	}
	return "string"
}

// usage is the flag's line of help, with its default and variables.
func (o option) usage() string {
	text := o.help
	if o.fallback != "" && o.fallback != "false" {
		text += " (default " + o.fallback + ")"
	}
	if len(o.env) > 0 {
		text += " [" + strings.Join(o.env, ", ") + "]"
	}
	return text
}

// given finds the value of an option: the flag, else the first variable that
// is set to something, else one that is set to nothing.
func (v *values) given(o option) (value, origin string, ok bool) {
	if o.word.Changed {
		return o.word.text, o.origin(), true
	}
	if v.noEnv {
		return "", "", false
	}
	for _, name := range o.env {
		text, set := v.env(name)
		switch {
		case !set, ok && strings.TrimSpace(text) == "":
		case serviceLink(text):
			v.notes = append(v.notes, fmt.Sprintf("environment %s=%q ignored: Kubernetes sets it for a Service of that name", name, text))
		default:
			value, origin, ok = text, "environment "+name, true
		}
		if ok && strings.TrimSpace(value) != "" {
			break
		}
	}
	return value, origin, ok
}

// origin names the flag as people type it.
func (o option) origin() string {
	if o.short != "" {
		return "flag -" + o.short
	}
	return "flag --" + o.flag
}

// serviceLink recognises what Kubernetes puts into NAME_PORT of every pod for
// a Service called NAME.
func serviceLink(text string) bool {
	for _, scheme := range []string{"tcp://", "udp://", "sctp://"} {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	return false
}

// inputs are the policy's settings from environment and flags.
func (v *values) inputs() []builder.Input {
	var list []builder.Input
	for _, o := range v.options {
		if !o.policy {
			continue
		}
		if value, origin, ok := v.given(o); ok {
			list = append(list, builder.Input{Flag: o.flag, Value: value, Origin: origin})
		}
	}
	return list
}

func (v *values) option(flag string) option {
	for _, o := range v.options {
		if o.flag == flag {
			return o
		}
	}
	panic("no option " + flag)
}

// text is an option's value, or its default.
func (v *values) text(flag string) string {
	o := v.option(flag)
	if value, _, ok := v.given(o); ok && strings.TrimSpace(value) != "" {
		return value
	}
	return o.fallback
}

// bool is an option's value as a boolean.
func (v *values) bool(flag string) bool {
	text := v.text(flag)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(strings.TrimSpace(text))
	if err != nil {
		v.refuse(flag, text, "not a boolean", "true or false")
	}
	return b
}

// duration is an option's value as a span of time.
func (v *values) duration(flag string) time.Duration {
	text := v.text(flag)
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || d <= 0 {
		v.refuse(flag, text, "not a span of time", "a number with its unit, such as 5s or 500ms")
	}
	return d
}

// oneOf is an option's value if it is one of a few words.
func (v *values) oneOf(flag string, words ...string) string {
	text := strings.ToLower(strings.TrimSpace(v.text(flag)))
	for _, w := range words {
		if text == w {
			return w
		}
	}
	v.refuse(flag, text, "unknown", strings.Join(words, ", "))
	return ""
}

// booleans refuses what is wrong with the command's own booleans before anything
// is done, also with those that are asked for late.
func (v *values) booleans() {
	for _, o := range v.options {
		if o.boolean && !o.policy {
			v.bool(o.flag)
		}
	}
}

// refuseSettings refuses the settings on a command line that has no use for them.
func (v *values) refuseSettings(reason, accepted string) {
	for _, o := range v.options {
		if o.policy && o.word.Changed {
			v.refuse(o.flag, o.word.text, reason, accepted)
		}
	}
}

// refuse notes a problem, once for each option.
func (v *values) refuse(flag, value, reason, accepted string) {
	if slices.ContainsFunc(v.problems, func(p *builder.Problem) bool { return p.Flag == flag }) {
		return
	}
	o := v.option(flag)
	_, origin, ok := v.given(o)
	switch {
	case !ok && o.fallback == "":
		origin = o.origin()
	case !ok:
		origin = "default"
	}
	v.problems = append(v.problems, &builder.Problem{Flag: flag, Origin: origin, Value: value, Reason: reason, Accepted: accepted})
}
