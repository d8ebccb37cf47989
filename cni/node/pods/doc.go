// Package pods knows the pods of this node: it watches them, keeps of each only
// what a decision or a repair reads, and answers the plugin.
//
//	API server ─list/watch spec.nodeName=…→ Slim → store ─┐
//	API server ←── one GET, only for a pod not in store ──┼→ Source.Answer → plugin
//
// A pod's size is its author's choice (256 KiB of annotations, any number of
// volumes and variables), and 250 of them stay in memory on every node; so what
// is not read is thrown away before it is stored.
package pods
