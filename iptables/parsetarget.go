package iptables

import (
	"math"
	"net/netip"
	"strconv"
)

// parseTarget reads the words behind -j. A target whose options are not all
// understood is carried along as OpaqueTarget.
func parseTarget(name string, words []string) Target {
	read := targetReader(name)
	if read == nil {
		if len(words) == 0 && !extensionTarget(name) {
			return JumpTo{Chain: name}
		}
		return OpaqueTarget{Name: name, Words: words}
	}
	options, ok := optionMap(words)
	if ok {
		if t := read(options); t != nil {
			return t
		}
	}
	return OpaqueTarget{Name: name, Words: words}
}

// extensionTarget lists targets that iptables-save may print without options.
func extensionTarget(name string) bool {
	switch name {
	case "REJECT", "MASQUERADE", "LOG", "TRACE", "NFLOG", "AUDIT", "CHECKSUM", "NFQUEUE", "NOTRACK", "SECMARK", "CONNSECMARK":
		return true
	}
	return false
}

// optionMap turns "--a 1 --b" into {"--a": "1", "--b": ""}.
func optionMap(words []string) (map[string]string, bool) {
	options := map[string]string{}
	for i := 0; i < len(words); i++ {
		name := words[i]
		if len(name) < 3 || name[:2] != "--" {
			return nil, false
		}
		value := ""
		if i+1 < len(words) && (len(words[i+1]) < 2 || words[i+1][:2] != "--") {
			i++
			value = words[i]
		}
		options[name] = value
	}
	return options, true
}

// targetReader returns the reader of a target's options, nil for a target that
// is not modelled. A reader returns nil for options that are not.
func targetReader(name string) func(map[string]string) Target {
	switch name {
	case string(VerdictAccept), string(VerdictDrop), string(VerdictReturn), string(VerdictQueue):
		return func(o map[string]string) Target {
			if len(o) > 0 {
				return nil
			}
			return Verdict(name)
		}
	case "REDIRECT":
		return readRedirect
	case "TPROXY":
		return readTProxy
	case "MARK":
		return readMark
	case "CONNMARK":
		return readConnMark
	case "CT":
		return readZone
	case "LOG":
		return readLog
	}
	return nil
}

func readRedirect(o map[string]string) Target {
	text, ok := o["--to-ports"]
	if !ok || len(o) != 1 {
		return nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil
	}
	return Redirect{Port(port)}
}

func readTProxy(o map[string]string) Target {
	if len(o) != 3 {
		return nil
	}
	port, err1 := strconv.ParseUint(o["--on-port"], 10, 16)
	on, err2 := netip.ParseAddr(o["--on-ip"])
	value, mask, err3 := parseMarkMask(o["--tproxy-mark"])
	if err1 != nil || err2 != nil || err3 != nil {
		return nil
	}
	return TProxy{Port(port), on, value, mask}
}

// readMark reads the spellings of "write the mark". The tools print
// --set-xmark, which clears Mask and exclusive-ors Value; --set-mark clears
// the bits of both (libxt_MARK.c).
func readMark(o map[string]string) Target {
	if len(o) != 1 {
		return nil
	}
	if text, ok := o["--set-xmark"]; ok {
		if value, mask, err := parseMarkMask(text); err == nil {
			return SetMark{value, mask}
		}
	}
	if text, ok := o["--set-mark"]; ok {
		if value, mask, err := parseMarkMask(text); err == nil {
			return SetMark{value, mask | value}
		}
	}
	return nil
}

func readConnMark(o map[string]string) Target {
	nf, err1 := maskOption(o, "--nfmask")
	ct, err2 := maskOption(o, "--ctmask")
	if err1 != nil || err2 != nil {
		return nil
	}
	_, save := o["--save-mark"]
	_, restore := o["--restore-mark"]
	switch {
	case save && !restore:
		return SaveMark{NFMask: nf, CTMask: ct}
	case restore && !save:
		return RestoreMark{NFMask: nf, CTMask: ct}
	}
	return nil
}

func maskOption(o map[string]string, name string) (uint32, error) {
	text, ok := o[name]
	if !ok {
		return math.MaxUint32, nil
	}
	v, err := strconv.ParseUint(text, 0, 32)
	return uint32(v), err
}

func readZone(o map[string]string) Target {
	id, err := strconv.ParseUint(o["--zone"], 10, 16)
	if err != nil || len(o) != 1 {
		return nil
	}
	return Zone{uint16(id)}
}

func readLog(o map[string]string) Target {
	if prefix, ok := o["--log-prefix"]; ok && len(o) == 1 {
		return Log{prefix}
	}
	return nil
}
