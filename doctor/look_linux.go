package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/interception"
	"github.com/sluicemesh/sluice/internal/caps"
	"github.com/sluicemesh/sluice/iptables/xtables"
	"github.com/sluicemesh/sluice/netns"
)

// Look examines the machine, and the calling thread's namespace.
func Look(ctx context.Context, o interception.Options) Report {
	var r Report
	r.capabilities()
	r.backends(ctx, o)
	r.namespace(ctx)
	r.standing(ctx, o)
	r.lock(ctx)
	r.reversePath()
	r.loadBalancer()
	r.plugin(netDir)
	r.surroundings()
	return r
}

// capabilities: NET_ADMIN is needed for all of it, NET_RAW for iptables-legacy.
func (r *Report) capabilities() {
	have, err := caps.Effective()
	admin, raw := have.Has(unix.CAP_NET_ADMIN), have.Has(unix.CAP_NET_RAW)
	r.MayProgram = admin || err != nil
	switch {
	case err != nil:
		r.add("capabilities", Warning, err.Error(), "whether it can program rules is seen when it is tried", "")
	case !admin:
		r.add("capabilities", Problem, "this process has no NET_ADMIN", "it cannot program or read rules",
			"add NET_ADMIN to the container's securityContext.capabilities; as another user than root it must be ambient")
	case !raw:
		r.add("capabilities", Note, "NET_ADMIN, but no NET_RAW", "iptables-legacy needs NET_RAW; the other backends do not", "")
	default:
		r.add("capabilities", Good, "NET_ADMIN and NET_RAW", "", "")
	}
}

// namespace: what IPv6 does here, and interfaces that redirected packets drop on.
func (r *Report) namespace(ctx context.Context) {
	conn, err := netns.Dial()
	if err != nil {
		r.add("namespace", Problem, err.Error(), "", "")
		return
	}
	defer conn.Close()
	facts, err := conn.Look(ctx)
	if err != nil {
		r.add("namespace", Problem, err.Error(), "", "")
		return
	}
	r.ipv6(facts)
	if !facts.LoUp() {
		r.add("interface lo", Warning, "lo is down", "self-calls and IPv6 in TPROXY mode do not work", "ip link set lo up")
	}
	r.bareInterfaces(facts)
	if home, ok := ownUserNamespace(); !ok {
		r.add("user namespace", Note, "this network namespace belongs to another user namespace ("+home+")",
			"uids in rules are resolved there; iptables has to be started from inside it", "use --backend nftables if an owner match is refused")
	}
}

func (r *Report) ipv6(f netns.Facts) {
	switch {
	case f.IPv6 != netns.IPv6Enabled:
		r.add("IPv6", Note, f.IPv6.String(), "it is not programmed, and no IPv6 packet can pass", "")
	case f.ReachesIPv6():
		r.add("IPv6", Good, "enabled, and leads out of this namespace", "it is programmed with --ip-families auto", "")
	default:
		r.add("IPv6", Good, "enabled, with no address beyond its own link yet", "it is programmed with --ip-families auto", "")
	}
}

// bareInterfaces: REDIRECT sends a packet to the address of the interface by
// which it came; without one of the family the kernel drops it
// (net/netfilter/nf_nat_redirect.c).
func (r *Report) bareInterfaces(f netns.Facts) {
	has := map[string]bool{}
	for _, a := range f.Addrs {
		if a.Prefix.Addr().Is4() {
			has[a.Dev] = true
		}
	}
	for _, l := range f.Links {
		if l.Up && l.Name != "lo" && !has[l.Name] {
			r.add("interface "+l.Name, Note, l.Name+" is up and has no IPv4 address",
				"with REDIRECT the kernel drops IPv4 connections that arrive there and are captured", "give it an address, or exclude it with -c")
		}
	}
}

func ownUserNamespace() (string, bool) {
	ns, err := netns.Open(netns.Target{})
	if err != nil {
		return "", true
	}
	defer ns.Close()
	id, own, err := ns.Owner()
	return id.String(), own || err != nil
}

// standing: rules of ours that are here already.
func (r *Report) standing(ctx context.Context, o interception.Options) {
	live, err := interception.Read(ctx, o)
	if err != nil {
		if r.MayProgram {
			r.add("rules", Warning, "could not be read: "+err.Error(), "", "")
		}
		return
	}
	var in []string
	for _, l := range live {
		for _, rs := range l.Rules {
			if !rs.Own().Empty() {
				in = append(in, l.Backend)
				break
			}
		}
	}
	switch len(in) {
	case 0:
		r.add("rules", Good, "none of ours in this namespace", "", "")
	case 1:
		r.add("rules", Good, "ours stand in "+in[0], "a run with --backend auto updates them there", "")
	default:
		r.add("rules", Warning, "ours stand in "+strings.Join(in, " and "), "the kernel applies them all", "run apply again: it keeps one and removes the rest")
	}
}

func (r *Report) lock(ctx context.Context) {
	release, err := xtables.Lock(ctx, time.Millisecond)
	if err != nil {
		r.add("lock", Warning, err.Error(), "another run is writing in this namespace", "wait for it, or find it: it holds "+xtables.LockPath)
		return
	}
	release()
	r.add("lock", Good, "free", "", "")
}

// reversePath: in TPROXY mode the proxy's packets to the application carry the
// client's address and arrive by lo, which a strict reverse path filter drops.
func (r *Report) reversePath() {
	// The larger of the two counts, and 2 is loose (include/linux/inetdevice.h, IN_DEV_RPFILTER).
	strict := max(read("/proc/sys/net/ipv4/conf/all/rp_filter"), read("/proc/sys/net/ipv4/conf/lo/rp_filter")) == "1"
	if strict && read("/proc/sys/net/ipv4/conf/all/src_valid_mark") != "1" {
		r.add("reverse path filter", Warning, "the larger of net.ipv4.conf.all.rp_filter and net.ipv4.conf.lo.rp_filter is 1 (strict)",
			"in TPROXY mode, connections from the client's address to the application are dropped", "set one of them to 2, or both to 0")
	}
}

// surroundings are what other people's policies may have to do with a failure.
func (r *Report) surroundings() {
	var fs unix.Statfs_t
	if unix.Statfs("/", &fs) == nil && fs.Flags&unix.ST_RDONLY != 0 {
		r.add("root file system", Good, "read-only", "nothing is written to it: the lock is the namespace itself", "")
	}
	if read("/sys/fs/selinux/enforce") == "1" {
		r.add("SELinux", Note, "enforcing", "if a netlink request or iptables is refused although NET_ADMIN is there, look for an AVC denial", "ausearch -m avc -ts recent")
	}
	if strings.HasPrefix(read("/sys/module/apparmor/parameters/enabled"), "Y") {
		if profile := read("/proc/self/attr/current"); profile != "" && profile != "unconfined" {
			r.add("AppArmor", Note, "this process runs under "+profile, "a profile may forbid network administration", "dmesg | grep apparmor")
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.add("kernel", Good, fmt.Sprintf("%s %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:])), "", "")
	}
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
