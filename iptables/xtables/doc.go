// Package xtables carries rule sets into the kernel by iptables-save and
// iptables-restore, in both flavours: nft (the tools that speak nf_tables) and
// legacy (the tools that speak to the x_tables of old).
//
//	Look    what is on this machine and in this namespace; touches nothing
//	Detect  facts and a choice → the backend to use, and the reasons
//	Lock    one writer per network namespace
//	Apply   read, reconcile, restore, read back; undo if it fails
//	Check   read and compare
//
// Together:
//
//	release, err := xtables.Lock(ctx, 5*time.Second)
//	defer release()
//	env := xtables.Look(ctx, nil)
//	backend, reasons, err := xtables.Detect(env, choice)
//	report, err := xtables.Apply(ctx, backend, wants)
//	for _, other := range xtables.Others(env, backend) { // the other flavour, if ours stand there
//		_, err = xtables.Apply(ctx, other, nothing) // a rule set without chains for each family
//	}
//
// Apply and Check run no program: they talk to a Kernel, which is a
// Backend here and an in-memory one in iptables/iptablestest. The only file
// that starts a process is run_linux.go.
//
// # Namespaces and threads
//
// Everything acts on the network namespace of the calling thread. A caller that
// has switched namespaces must have locked its goroutine to the thread; nothing
// here starts a goroutine that touches the namespace, and a child process
// inherits the namespace of the thread that starts it.
//
// # What a kill leaves behind
//
// A restore commits one table at a time, and each commit replaces chains and
// jumps together, so every table holds its old or its new rules at any moment.
// Tables that only gain come before tables that lose something, so that when
// interception moves from one table to another (REDIRECT to TPROXY or back)
// both take part for a moment and never none. In a fresh namespace tables are
// made in hook order: raw (conntrack zones, harmless alone), mangle, nat. A
// fresh apply that dies half-way has failed, so its pod does not start; the next
// run reads what stands and completes it. Address, rule and route of TPROXY
// belong to the caller: add them before Apply, and remove them after the Apply
// that removes the rules.
package xtables
