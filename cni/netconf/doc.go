// Package netconf reads what a container runtime hands to the plugin: the
// network configuration on standard input and CNI_ARGS. It is pure.
//
// A configuration that is no JSON is an error at once. A known key with a bad
// value is a *Problem that waits: it concerns only pods that would be
// programmed, and a typing error must not keep the others from starting. Until
// then the key's default holds. A key that nobody knows is a warning, since
// some runtimes inject their own.
package netconf
