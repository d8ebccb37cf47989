package doctor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// loadBalancer: an eBPF program on connect(2), as socket-level load balancers
// attach it to the root control group, replaces a service's address before any
// rule sees the packet. CIDRs of services then never match.
func (r *Report) loadBalancer() {
	n, err := attached("/sys/fs/cgroup", unix.BPF_CGROUP_INET4_CONNECT)
	switch {
	case err != nil: // no permission, or no control groups: nothing can be said
	case n > 0:
		r.add("socket load balancer", Warning, "an eBPF program rewrites destinations at connect(2)",
			"rules see a pod's address where the application dialled a service's: service CIDRs in -i and -x do not match",
			"exclude mesh pods from the socket-level load balancer (for Cilium: socketLB.hostNamespaceOnly=true)")
	}
}

// bpfQuery is the part of union bpf_attr that BPF_PROG_QUERY reads
// (include/uapi/linux/bpf.h).
type bpfQuery struct {
	target     uint32
	attachType uint32
	flags      uint32
	attach     uint32
	ids        uint64
	count      uint32
	_          uint32
}

const effective = 1 // BPF_F_QUERY_EFFECTIVE: those of parent groups too

// attached counts the programs of a type on a control group.
func attached(cgroup string, attachType uint32) (uint32, error) {
	fd, err := unix.Open(cgroup, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	q := bpfQuery{target: uint32(fd), attachType: attachType, flags: effective}
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_QUERY, uintptr(unsafe.Pointer(&q)), unsafe.Sizeof(q))
	if errno != 0 {
		return 0, errno
	}
	return q.count, nil
}
