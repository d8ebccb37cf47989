// Package cluster runs a real Kubernetes node for tests: etcd, API server,
// controller manager, scheduler and kubelet, built from their Go modules, over
// the containerd of test/containerd.
//
//	node namespace (rig)                          folder of test/containerd
//	  etcd  apiserver  controllers  kubelet         cluster/  keys, data, logs
//	                                   └ containerd ── pods
//	  lo: the API server's service address, so that pods of the node's network
//	      reach it as they would anywhere; there is no kube-proxy
//
// The programs are built once into build/kube, five minutes on two cores, and
// again when a go.mod of test/cluster/binaries changes. The test itself stands
// outside and connects through the namespace.
//
// The agent runs from the shipped manifest: only image and host paths are
// changed, so what RBAC or the security context forbid fails here too. The chart
// in all its forms goes to the API server of a node whose kubelet is stopped.
package cluster
