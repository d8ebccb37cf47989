// Package interception carries a configuration into a network namespace, checks
// that it is there, and takes it away again. The init container and the CNI
// plugin both come through here, so equal settings give equal rules.
//
//	builder.Config ─┐
//	netns.Facts ────┴→ Families → WantOf → rules and plumbing of each family
//	                                        │
//	                   choose a backend ────┴→ Apply, Check, Clean
//
// Everything acts on the network namespace of the calling thread: call it
// inside netns.Namespace.Do, or in a process that lives there.
//
// # The order of things
//
// What TPROXY's marks need (an address, a route, a rule) is added before the
// rules that set those marks and removed after them, and rules of another
// backend go only when the new ones have been read back. So there is no moment
// with less than the old or the new interception. If a step fails, the steps
// before it are undone, and the error says so if they could not be.
package interception
