package builder

import (
	"strconv"
	"strings"

	"github.com/sluicemesh/sluice/iptables"
)

// Interface is the name of a network interface, or with a trailing "+" the
// beginning of several. At most 15 bytes (IFNAMSIZ - 1).
type Interface string

const acceptedInterface = "a letter, then letters, digits, . _ - @, at most 15 bytes, + at the end as wildcard"

// UnmarshalText accepts a letter followed by letters, digits and . _ - @, at
// most 15 bytes, and + at the end as wildcard.
func (i *Interface) UnmarshalText(text []byte) error {
	v, err := parseInterface(string(text))
	*i = v
	return err
}

func parseInterface(s string) (Interface, error) {
	name := strings.TrimSuffix(s, "+")
	switch {
	case len(s) > 15:
		return "", &ValueError{s, "longer than 15 bytes", acceptedInterface}
	case name == "" || !letter(name[0]):
		return "", &ValueError{s, "must begin with a letter", acceptedInterface}
	}
	for _, c := range []byte(name) {
		if !letter(c) && (c < '0' || c > '9') && !strings.ContainsRune("._-@", rune(c)) {
			return "", &ValueError{s, "has a character that no interface name may have", acceptedInterface}
		}
	}
	return Interface(s), nil
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// parseInterfaces accepts a comma list of interface names.
func parseInterfaces(text string) ([]Interface, []string, error) {
	list, notes, err := parseList(text, func(item string) (Interface, note, error) {
		i, err := parseInterface(item)
		return i, "", err
	})
	var unique []Interface
	for _, i := range list {
		unique = appendNew(unique, i)
	}
	return unique, notes, err
}

// String is the name.
func (i Interface) String() string { return string(i) }

// Mode is how inbound connections reach the proxy.
type Mode string

// The modes. None programs nothing.
const (
	RedirectMode Mode = "REDIRECT"
	TProxyMode   Mode = "TPROXY"
	NoneMode     Mode = "NONE"
)

const acceptedMode = "REDIRECT, TPROXY or NONE"

// UnmarshalText accepts the modes in any letter case.
func (m *Mode) UnmarshalText(text []byte) error {
	v := Mode(strings.ToUpper(strings.TrimSpace(string(text))))
	switch v {
	case RedirectMode, TProxyMode, NoneMode:
		*m = v
		return nil
	}
	return &ValueError{string(text), "unknown mode", acceptedMode}
}

// Mark is the packet mark of inbound TPROXY traffic.
type Mark uint32

const acceptedMark = "1 to 4294967295, decimal or 0x hexadecimal, but not 1338"

// UnmarshalText accepts decimal or 0x hexadecimal, 32 bits; not 0, which would
// match every unmarked packet, and not the self-call mark.
func (m *Mark) UnmarshalText(text []byte) error {
	v, err := parseNumber(string(text), acceptedMark)
	switch {
	case err != nil:
		return err
	case v == 0:
		return &ValueError{string(text), "mark 0 would match every unmarked packet", acceptedMark}
	case v == iptables.SelfCallMark:
		return &ValueError{string(text), "the mark of self-calls", acceptedMark}
	}
	*m = Mark(v)
	return nil
}

// String is the decimal number.
func (m Mark) String() string { return strconv.FormatUint(uint64(m), 10) }

// RouteTable is the routing table that delivers marked packets locally.
type RouteTable uint32

const acceptedTable = "1 to 4294967295, decimal or 0x hexadecimal, but not 253 to 255"

// UnmarshalText accepts decimal or 0x hexadecimal, 32 bits; not 0, which is no
// table, and not the kernel's default, main and local tables 253 to 255.
func (t *RouteTable) UnmarshalText(text []byte) error {
	v, err := parseNumber(string(text), acceptedTable)
	switch {
	case err != nil:
		return err
	case v == 0:
		return &ValueError{string(text), "0 is no routing table", acceptedTable}
	case 253 <= v && v <= 255:
		return &ValueError{string(text), "one of the kernel's own tables: every destination would become local", acceptedTable}
	}
	*t = RouteTable(v)
	return nil
}

// String is the decimal number.
func (t RouteTable) String() string { return strconv.FormatUint(uint64(t), 10) }

func parseNumber(text, accepted string) (uint32, error) {
	s := strings.TrimSpace(text)
	base, rest := 10, s
	if hexText, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		base, rest = 16, hexText
	}
	v, err := strconv.ParseUint(rest, base, 64)
	if err != nil {
		return 0, &ValueError{text, "not a number", accepted}
	}
	if v > 1<<32-1 {
		return 0, &ValueError{text, "over 32 bits", accepted}
	}
	return uint32(v), nil
}

const acceptedBool = "true or false"

// ParseBool accepts true and false as strconv.ParseBool does. What is neither
// is an error, and false.
func ParseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(strings.TrimSpace(text))
	if err != nil {
		return false, &ValueError{text, "not a boolean", acceptedBool}
	}
	return b, nil
}
