package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/diff/internal/bdd"
)

func (c *comparison) senders(b box) string {
	owned := c.Var(c.fields[dimOwned].first)
	if b.values[dimOwned] == owned.Not() {
		if c.leaving(b) {
			return " from no process"
		}
		return ""
	}
	switch uid, gid := c.ids(b, dimUID, "uid"), c.ids(b, dimGID, "gid"); {
	case uid == "" && gid == "" && b.values[dimOwned] == owned:
		return " from a process"
	case uid == "" && gid == "":
		return ""
	case uid == "" || gid == "":
		return " from " + uid + gid
	case b.either:
		return " from " + uid + " or " + gid
	case strings.HasPrefix(uid, "any ") && strings.HasPrefix(gid, "any "):
		return " from anybody but " + excepted(uid) + " and " + excepted(gid)
	case strings.HasPrefix(uid, "any "):
		return " from " + gid + " with " + uid
	default:
		return " from " + uid + " with " + gid
	}
}

// excepted turns "any uid but 5 and 6" into "uids 5 and 6".
func excepted(text string) string {
	word, ids, _ := strings.Cut(strings.TrimPrefix(text, "any "), " but ")
	if strings.ContainsAny(ids, " -") {
		word += "s"
	}
	return word + " " + ids
}

func (c *comparison) ids(b box, d dimension, word string) string {
	return c.numbers(d, b.values[d], word, 1<<32-1)
}

// numbers are "uid 5", "uids 5 to 9 and 12", "any uid but 5"; "" for any.
func (c *comparison) numbers(d dimension, values bdd.Ref, word string, last uint32) string {
	if values == bdd.Everything {
		return ""
	}
	const many = 100000
	in, inOK := c.intervals(d, values, many)
	out, outOK := c.intervals(d, values.Not(), many)
	name := func(i interval) string {
		if i.first == i.last {
			return strconv.FormatUint(uint64(i.first), 10)
		}
		return fmt.Sprintf("%d-%d", i.first, i.last)
	}
	top := slices.ContainsFunc(in, func(i interval) bool { return i.last == last && i.first != last })
	switch {
	case outOK && top && len(out) <= len(in):
		return "any " + word + " but " + list(out, name, "and")
	case inOK && len(in) == 1 && in[0].first == in[0].last:
		return word + " " + name(in[0])
	case inOK:
		return word + "s " + list(in, name, "and")
	}
	return "some " + word + "s"
}

func (c *comparison) ports(b box, d dimension, word string) string {
	return c.numbers(d, b.values[d], word, 1<<16-1)
}
