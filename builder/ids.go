package builder

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// IDs is a set of uids or gids in the order in which it was given.
type IDs []iptables.IDRange

const acceptedIDs = "ids from 0 to 4294967294 and ranges such as 1000-1999, separated by commas"

// maxID is the greatest id that somebody can have: the one above it is what
// setresuid(2) takes for "leave it as it is", and iptables refuses it.
const maxID = 1<<32 - 2

// LookUp finds the id of a user's or group's name. A nil LookUp knows no names:
// a dry run, and everything that runs outside the pod, must not look any up.
type LookUp func(name string) (uint32, error)

// UnmarshalText accepts a comma list of ids and ranges.
func (ids *IDs) UnmarshalText(text []byte) error {
	v, _, err := parseIDs(string(text), nil)
	*ids = v
	return err
}

// parseIDs is UnmarshalText with its notes, and with names if there is a lookUp.
func parseIDs(text string, lookUp LookUp) (IDs, []string, error) {
	list, notes, err := parseList(text, func(item string) (iptables.IDRange, note, error) {
		r, err := parseIDRange(item, lookUp)
		return r, "", err
	})
	if err != nil {
		return nil, notes, err
	}
	var ids IDs
	for _, r := range list {
		ids = appendNew(ids, r)
	}
	return ids, notes, nil
}

func parseIDRange(item string, lookUp LookUp) (iptables.IDRange, error) {
	if startsName(item) {
		return parseIDName(item, lookUp)
	}
	first, last, ranged := strings.Cut(item, "-")
	if !ranged {
		last = first
	}
	a, err := parseID(item, first)
	if err != nil {
		return iptables.IDRange{}, err
	}
	b, err := parseID(item, last)
	if err == nil && b < a {
		err = &ValueError{item, "reversed range", acceptedIDs}
	}
	return iptables.IDRange{First: a, Last: b}, err
}

func startsName(item string) bool {
	c := item[0]
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

func parseID(item, s string) (uint32, error) {
	if !digits(s) {
		return 0, &ValueError{item, "not a number", acceptedIDs}
	}
	n, _ := strconv.ParseUint(s, 10, 64) // of too many digits, the greatest
	if n > maxID {
		return 0, &ValueError{item, "out of range", acceptedIDs}
	}
	return uint32(n), nil
}

func parseIDName(item string, lookUp LookUp) (iptables.IDRange, error) {
	if lookUp == nil {
		return iptables.IDRange{}, &ValueError{item, "names are not looked up here", acceptedIDs}
	}
	id, err := lookUp(item)
	if err != nil {
		return iptables.IDRange{}, &ValueError{item, "no such name here", acceptedIDs + ", or a name known here"}
	}
	return iptables.OneID(id), nil
}

// String is the input form.
func (ids IDs) String() string { return join([]iptables.IDRange(ids)) }

// Contains says whether the set holds an id.
func (ids IDs) Contains(id uint32) bool {
	return slices.ContainsFunc(ids, func(r iptables.IDRange) bool { return r.Contains(id) })
}

// Groups are the groups whose members' connections are captured. The zero
// value is everybody.
type Groups struct {
	Listed  bool // only Include counts; an empty list then means nobody
	Include IDs
}

// parseGroups accepts "*" or nothing for everybody, "none" for nobody, or ids.
func parseGroups(text string, lookUp LookUp) (Groups, []string, error) {
	switch t := strings.TrimSpace(text); t {
	case "*", "":
		return Groups{}, nil, nil
	case "none":
		return Groups{Listed: true}, nil, nil
	}
	ids, notes, err := parseIDs(text, lookUp)
	return Groups{Listed: len(ids) > 0, Include: ids}, notes, err
}

// String is the input form.
func (g Groups) String() string {
	switch {
	case !g.Listed:
		return "*"
	case len(g.Include) == 0:
		return "none"
	}
	return g.Include.String()
}
