// Package podapi is the conversation between the plugin and the node agent:
// one JSON line each way over a unix socket that only root can reach.
//
//	plugin                                   agent
//	  │ {"pod":{"version":1,"namespace":…}}\n │   at most MaxRequest bytes
//	  ├──────────────────────────────────────→│
//	  │ {"version":1,"uid":…,"pod":{…}}\n     │   at most MaxResponse bytes: any pod
//	  │←──────────────────────────────────────┤
//
// A report takes the same way: {"report":{…}}\n, answered by an empty
// Response, for which the plugin need not wait. One connection carries one
// exchange; whoever is slow, speaks too much or is not root is cut off. Answers
// with long annotations take turns, so that many of them at once stay within
// the agent's memory. The line is JSON so that a person can speak it with a
// terminal, and versioned because during a rolling upgrade the plugin on disk
// and the agent in memory differ.
//
// Trust goes both ways. The agent asks the kernel who the caller is
// (SO_PEERCRED, uid 0 only); the plugin looks at the owner and mode of the
// socket's folder before it believes an answer. The pod's UID is echoed and
// compared, so that a pod which was deleted and made again under its old name
// is never answered for its predecessor.
package podapi
