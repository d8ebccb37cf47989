// Package repair finds pods of this node that started without their rules, by
// the verdict of the validation container in them, and does something about it.
//
// How such pods come to be: the plugin was not in the network configuration
// when their sandbox was made (a node that came up faster than the agent, a
// primary plugin that took the entry out). Their validation container fails
// with a code of its own, so nothing of them runs uncaptured; left alone they
// would fail for ever.
//
//	pod change → Broken? → repair in place → delete → label
//	                       (the first mode that is configured and works)
package repair
