package conflist

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// newest is the greatest version of the CNI specification that the plugin
// speaks. Runtimes pass over those of a list that are beyond their own.
var newest = []int{1, 1, 0}

// readVersion finds the version that the runtime speaks to the list's plugins:
// the greatest that cniVersions and cniVersion name.
func (l *List) readVersion(fields map[string]span) error {
	var isText bool
	at, ok := fields["cniVersion"]
	if l.Version, isText = text(at.of(l.raw)); ok && !isText {
		return ErrVersion
	}
	if at, ok = fields["cniVersions"]; !ok {
		return nil
	}
	return l.choose(at.of(l.raw))
}

// choose reads cniVersions.
func (l *List) choose(raw []byte) error {
	var all *[]*string
	if json.Unmarshal(raw, &all) != nil || all == nil {
		return ErrVersion
	}
	if l.Version != "" {
		*all = append(*all, &l.Version)
	}
	greatest, best := l.Version, []int(nil)
	for _, v := range *all {
		if v == nil {
			return ErrVersion
		}
		n, err := numbers(*v)
		if err != nil {
			return ErrVersion
		}
		if slices.Compare(n, newest) <= 0 && slices.Compare(n, best) > 0 {
			greatest, best = *v, n
		}
	}
	l.Version = greatest
	return nil
}

// numbers reads a version like "1.1.0" as runtimes do: what lacks at its end is
// zero, and no version at all is 0.1.0.
func numbers(version string) ([]int, error) {
	if version == "" {
		version = "0.1.0"
	}
	parts := strings.Split(version, ".")
	if len(parts) > 3 {
		return nil, ErrVersion
	}
	out := make([]int, 3)
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, ErrVersion
		}
		out[i] = n
	}
	return out, nil
}

// Chained reports whether a list of this version hands the result of one
// plugin to the next: since 0.3.0. Before that there is nothing to chain to.
func Chained(version string) bool {
	chaining, _ := numbers("0.3.0")
	n, _ := numbers(version) // what is no version has none, and stands before all
	return slices.Compare(n, chaining) >= 0
}
