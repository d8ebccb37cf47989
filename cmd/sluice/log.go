package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluicemesh/sluice/builder"
)

// level is how much is said on stderr.
type level int

const (
	levelNone level = iota
	levelError
	levelWarn
	levelInfo
	levelDebug
)

func (l level) String() string {
	return [...]string{"none", "error", "warn", "info", "debug"}[l]
}

// logger writes lines, which nobody waits for, in the mesh's form, "TIME\tLEVEL\tTEXT", or as JSON.
type logger struct {
	w     io.Writer
	level level
	json  bool
	now   func() time.Time
}

// logOptions are accepted in the mesh's form; what has no meaning for a tool
// that runs for milliseconds is accepted and ignored.
func logOptions() []option {
	return []option{
		{flag: "log_output_level", fallback: "default:info", help: "how much to say: LEVEL or SCOPE:LEVEL,…; none, error, warn, info or debug"},
		{flag: "log_as_json", boolean: true, help: "log lines as JSON"},
		{flag: "log_target", help: "accepted; log lines go to stderr", hidden: true},
		{flag: "log_caller", help: "accepted", hidden: true},
		{flag: "log_stacktrace_level", help: "accepted", hidden: true},
		{flag: "log_rotate", help: "accepted", hidden: true},
		{flag: "vklog", help: "accepted", hidden: true},
		{flag: "restore-format", boolean: true, help: "accepted; rules are always restored", hidden: true},
	}
}

func newLogger(p program, v *values) logger {
	return logger{w: p.stderr, level: v.logLevel(), json: v.bool("log_as_json"), now: time.Now}
}

// logLevel reads "info" or "default:info,iptables:debug". sluice has one
// scope, so the level of "default", or of "all", is the one that counts.
func (v *values) logLevel() level {
	text := v.text("log_output_level")
	found := levelInfo
	for _, item := range strings.Split(text, ",") {
		scope, name, scoped := strings.Cut(strings.TrimSpace(item), ":")
		if !scoped {
			scope, name = "default", scope
		}
		l, ok := levelOf(name)
		if !ok {
			v.refuse("log_output_level", item, "unknown level", "LEVEL or SCOPE:LEVEL, with none, error, warn, info or debug")
		}
		if scope == "default" || scope == "all" {
			found = l
		}
	}
	return found
}

func levelOf(name string) (level, bool) {
	switch strings.ToLower(name) {
	case "none":
		return levelNone, true
	case "fatal", "error":
		return levelError, true
	case "warn", "warning":
		return levelWarn, true
	case "", "info":
		return levelInfo, true
	case "debug":
		return levelDebug, true
	}
	return levelInfo, false
}

func (l logger) debug(format string, args ...any) { l.line(levelDebug, format, args...) }
func (l logger) info(format string, args ...any)  { l.line(levelInfo, format, args...) }
func (l logger) warn(format string, args ...any)  { l.line(levelWarn, format, args...) }

func (l logger) line(at level, format string, args ...any) {
	if at > l.level {
		return
	}
	stamp := l.now().UTC().Format("2006-01-02T15:04:05.000000Z")
	text := fmt.Sprintf(format, args...)
	if !l.json {
		_, _ = fmt.Fprintf(l.w, "%s\t%s\t%s\n", stamp, at, text)
		return
	}
	line, _ := json.Marshal(map[string]string{"level": at.String(), "time": stamp, "msg": text}) // strings always marshal
	_, _ = fmt.Fprintf(l.w, "%s\n", line)
}

// warnings says what was accepted, but not as it was written.
func (l logger) warnings(list []builder.Warning) {
	for _, w := range list {
		l.warn("%s", w)
	}
}

// settings says what counts and where it comes from.
func (l logger) settings(list []builder.Effective) {
	if l.level < levelDebug {
		return
	}
	for _, e := range list {
		l.debug("%s=%q (%s)", e.Flag, e.Value, e.Origin)
	}
}
