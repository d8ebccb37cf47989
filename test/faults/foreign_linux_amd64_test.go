package faults

import (
	"strings"

	"github.com/sluicemesh/sluice/test/rig"
)

// settle puts rules of somebody else into the pod, in every backend.
func (s *scene) settle() {
	for _, f := range rig.Families() {
		for _, flavour := range rig.Flavours() {
			for _, table := range []string{"nat", "mangle", "filter"} {
				s.Pod.Iptables(flavour, f, "-t", table, "-N", "FOREIGN")
				s.Pod.Iptables(flavour, f, "-t", table, "-A", "FOREIGN", "-p", "udp", "-j", "RETURN")
				s.Pod.Iptables(flavour, f, "-t", table, "-I", "OUTPUT", "-p", "udp", "-m", "comment", "--comment", "not ISTIO_OUTPUT", "-j", "FOREIGN")
			}
		}
	}
	s.Pod.MustRun("nft", "add table inet foreign; add chain inet foreign c { type filter hook output priority 5; }; add rule inet foreign c udp dport 9 counter")
}

// foreign is everything in the pod's rules that is not ours, in its order.
func (s *scene) foreign() string {
	var out strings.Builder
	for _, f := range rig.Families() {
		for _, flavour := range rig.Flavours() {
			for line := range strings.Lines(s.Pod.Save(flavour, f)) {
				if strings.Contains(line, "FOREIGN") || strings.HasPrefix(line, "*") && !strings.Contains(line, "raw") {
					out.WriteString(string(flavour) + " " + counters(line))
				}
			}
		}
	}
	return out.String() + s.Pod.MustRun("nft", "list", "table", "inet", "foreign")
}

func counters(line string) string {
	before, _, _ := strings.Cut(line, " [")
	return strings.TrimSpace(before) + "\n"
}
