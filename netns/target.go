package netns

import (
	"fmt"
	"strconv"
	"strings"
)

// Target says which network namespace is meant. The zero value means the one
// the caller is in.
type Target struct{ text string }

// ParseTarget reads PATH, NAME or PID: a text with a slash is the path of a
// namespace file, digits are a process, anything else is a name as `ip netns`
// keeps it in /run/netns. A name made of digits has to be given as a path.
func ParseTarget(text string) (Target, error) {
	var t Target
	err := t.UnmarshalText([]byte(text))
	return t, err
}

// UnmarshalText reads what [ParseTarget] reads; an empty text means the
// caller's own namespace.
func (t *Target) UnmarshalText(text []byte) error {
	s := string(text)
	if reason := badTarget(s); reason != "" {
		return &Error{Op: "read the namespace", Target: s, Err: fmt.Errorf("%s", reason),
			Hint: "give the path of a namespace file, a name listed by `ip netns`, or a process id"}
	}
	t.text = s
	return nil
}

// String is the text the target was read from, or "the current namespace".
func (t Target) String() string {
	if t.text == "" {
		return "the current namespace"
	}
	return t.text
}

func badTarget(s string) string {
	switch {
	case strings.ContainsRune(s, 0):
		return "it holds a zero byte"
	case s == "." || s == "..":
		return "this is no namespace's name"
	case isDigits(s) && !isPID(s):
		return "this is no process id"
	}
	return ""
}

// paths lists where the target may be found, in order of preference.
func (t Target) paths() []string {
	switch {
	case t.text == "":
		return []string{"/proc/thread-self/ns/net"}
	case strings.Contains(t.text, "/"):
		return []string{t.text}
	case isDigits(t.text):
		return []string{"/proc/" + t.text + "/ns/net"}
	}
	return []string{"/run/netns/" + t.text, "/var/run/netns/" + t.text}
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isPID accepts 1 to 2^31-1, the range of a Linux process id.
func isPID(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && n > 0
}
