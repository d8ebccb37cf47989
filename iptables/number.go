package iptables

import "strconv"

// Port is a TCP or UDP port, 1 to 65535.
type Port uint16

// PortRange is the ports from First to Last, both included.
type PortRange struct{ First, Last Port }

// OnePort is the range that holds just p.
func OnePort(p Port) PortRange { return PortRange{p, p} }

// Contains says whether p lies in the range.
func (r PortRange) Contains(p Port) bool { return r.First <= p && p <= r.Last }

// Single says whether the range holds exactly one port.
func (r PortRange) Single() bool { return r.First == r.Last }

// String is iptables' form: "80" or "80:90".
func (r PortRange) String() string { return rangeText(uint32(r.First), uint32(r.Last), ":") }

// IDRange is the uids or gids from First to Last, both included.
type IDRange struct{ First, Last uint32 }

// OneID is the range that holds just id.
func OneID(id uint32) IDRange { return IDRange{id, id} }

// Contains says whether id lies in the range.
func (r IDRange) Contains(id uint32) bool { return r.First <= id && id <= r.Last }

// String is iptables' form: "1337" or "1000-1999".
func (r IDRange) String() string { return rangeText(r.First, r.Last, "-") }

func rangeText(first, last uint32, dash string) string {
	text := strconv.FormatUint(uint64(first), 10)
	if first == last {
		return text
	}
	return text + dash + strconv.FormatUint(uint64(last), 10)
}

func itoa(n int) string { return strconv.Itoa(n) }

func hex(v uint32) string { return "0x" + strconv.FormatUint(uint64(v), 16) }
