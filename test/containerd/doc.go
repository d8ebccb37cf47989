// Package containerd runs a real containerd for a test and speaks its CRI, as
// the kubelet does. Debian's containerd 1.6 and runc are enough; everything
// else it makes itself.
//
//	node namespace (rig)                      base folder /tmp/slt-ctd-PID-N
//	  containerd ── shim ── runc               root state opt        containerd's
//	       │ conflist, plugins                 cni/net.d cni/bin     what it loads
//	       ▼                                   images logs
//	  veth ─────────── pod namespace
//
// The runtime lives in a namespace of its own, so that bridges, routes and
// sysctls of the plugins never meet the machine's. What a killed test left
// (processes by their cgroup, mounts, the folder) is swept by the next one.
package containerd
