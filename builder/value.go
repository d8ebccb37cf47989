package builder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ValueError says why a value is refused and what would be accepted.
type ValueError struct {
	Value    string // the offending part
	Reason   string
	Accepted string
}

// Error reads `"90-80": reversed range; accepted: …`.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%q: %s; accepted: %s", e.Value, e.Reason, e.Accepted)
}

// note is a remark about a value that is accepted, but not as it was written.
type note = string

// listItems splits a list, trims blanks and drops empty items, which is worth a
// note: "80,,90" is more often a template gone wrong than a wish.
func listItems(text, separator string) (items []string, notes []note) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for _, item := range strings.Split(text, separator) {
		if item = strings.Trim(item, " \t"); item != "" {
			items = append(items, item)
		}
	}
	if empty := strings.Count(text, separator) + 1 - len(items); empty > 0 {
		notes = append(notes, fmt.Sprintf("%d empty %s dropped from %q", empty, plural(empty, "item"), text))
	}
	return items, notes
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// parseList parses each item of a comma list and reports all bad ones together.
func parseList[T any](text string, parse func(string) (T, note, error)) ([]T, []note, error) {
	items, notes := listItems(text, ",")
	var list []T
	var errs []error
	for _, item := range items {
		v, n, err := parse(item)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if n != "" {
			notes = append(notes, n)
		}
		list = append(list, v)
	}
	return list, notes, errors.Join(errs...)
}

// join prints a list in its own input form.
func join[T fmt.Stringer](list []T) string { return joinBy(",", list) }

func joinBy[T fmt.Stringer](separator string, list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, separator)
}

// appendNew appends what the list does not hold yet.
func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// digits says whether s is an unsigned decimal number in ASCII.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
