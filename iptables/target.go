package iptables

import (
	"net/netip"
	"strconv"
)

// Target is what a rule does with a packet that it matches. Like Match, the
// set of implementations is closed.
type Target interface {
	words() []string
	problem() string
}

// Verdict is one of the four standard targets.
type Verdict string

// The standard targets.
const (
	VerdictAccept Verdict = "ACCEPT"
	VerdictDrop   Verdict = "DROP"
	VerdictReturn Verdict = "RETURN"
	VerdictQueue  Verdict = "QUEUE"
)

// JumpTo continues in a user-defined chain; Goto does not come back.
type JumpTo struct {
	Chain string
	Goto  bool
}

// Redirect sends the connection to a local port (nat).
type Redirect struct{ Port Port }

// TProxy hands the packet to a transparent socket on a local port, its
// addresses unchanged, and marks it (mangle PREROUTING).
type TProxy struct {
	Port       Port
	On         netip.Addr // the listener's address, usually unspecified
	Mark, Mask uint32
}

// SetMark writes the packet's mark: mark = (mark &^ Mask) ^ Value.
type SetMark struct{ Value, Mask uint32 }

// SaveMark copies the packet's mark into its connection.
type SaveMark struct{ NFMask, CTMask uint32 }

// RestoreMark copies the connection's mark into the packet.
type RestoreMark struct{ NFMask, CTMask uint32 }

// Zone assigns the packet's connection to a conntrack zone (raw).
type Zone struct{ ID uint16 }

// Log writes a line to the kernel log and goes on. Prefix has at most 29 bytes
// (include/uapi/linux/netfilter/xt_LOG.h).
type Log struct{ Prefix string }

// OpaqueTarget is a target that this package carries along but cannot decide.
type OpaqueTarget struct {
	Name  string
	Words []string
}

func (t Verdict) words() []string { return []string{"-j", string(t)} }

func (t JumpTo) words() []string {
	if t.Goto {
		return []string{"-g", quoted(t.Chain)}
	}
	return []string{"-j", quoted(t.Chain)}
}

func (t Redirect) words() []string {
	return []string{"-j", "REDIRECT", "--to-ports", strconv.Itoa(int(t.Port))}
}

func (t TProxy) words() []string {
	return []string{
		"-j", "TPROXY", "--on-port", strconv.Itoa(int(t.Port)),
		"--on-ip", t.On.String(), "--tproxy-mark", hex(t.Mark) + "/" + hex(t.Mask),
	}
}

func (t SetMark) words() []string {
	return []string{"-j", "MARK", "--set-xmark", hex(t.Value) + "/" + hex(t.Mask)}
}

func (t SaveMark) words() []string {
	return []string{"-j", "CONNMARK", "--save-mark", "--nfmask", hex(t.NFMask), "--ctmask", hex(t.CTMask)}
}

func (t RestoreMark) words() []string {
	return []string{"-j", "CONNMARK", "--restore-mark", "--nfmask", hex(t.NFMask), "--ctmask", hex(t.CTMask)}
}

func (t Zone) words() []string { return []string{"-j", "CT", "--zone", strconv.Itoa(int(t.ID))} }

func (t Log) words() []string { return []string{"-j", "LOG", "--log-prefix", saveString(t.Prefix)} }

func (t OpaqueTarget) words() []string {
	return append([]string{"-j", quoted(t.Name)}, quoteAll(t.Words)...)
}
