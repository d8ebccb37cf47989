// Package soak lives through a node's weeks in minutes: pods come and go,
// the primary CNI rewrites its configuration, the agent restarts, and what
// should be flat is flat: memory, descriptors, goroutines, namespaces, rules,
// files. `make test` plays a short one, `make soak` the whole.
package soak
