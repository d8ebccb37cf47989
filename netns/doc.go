// Package netns enters a network namespace on one thread, says whose it is,
// and reads and writes the addresses, routes and policy rules that transparent
// interception needs there.
//
// # Threads
//
// Linux keeps the network namespace per thread, Go moves goroutines between
// threads. [Namespace.Do] brings the two together: it starts a goroutine, locks
// it to its thread, moves that thread and runs the function there. Four things
// follow, and each is held by a test:
//
//   - A socket opened inside the function belongs to the namespace for good,
//     whichever goroutine uses it later.
//   - A process started inside the function is inside too: the kernel forks the
//     thread that asks. So exec needs no wrapper.
//   - A goroutine started inside the function is outside: it runs on another
//     thread. Do not start one that opens sockets or reads /proc.
//   - The path /proc/self/net means the process's first thread, which is
//     never moved, so inside the function it shows the outside. Read
//     /proc/thread-self/net instead. /proc/sys/net follows the calling thread.
//
// A thread that cannot be moved back is never unlocked, so the runtime ends it
// with its goroutine and no other code ever runs on it. The first thread of a
// process cannot be ended that way (and is what /proc/self shows), so it is
// never moved: Do goes on to another.
//
// # Identity
//
// A namespace is its device and inode ([ID]), taken from an open descriptor.
// [Open] holds that descriptor: what was checked is what is entered, though the
// path be mounted over or the pid be used again in between.
//
// # User namespaces
//
// A network namespace belongs to a user namespace, and numbers in rules are
// read there. What the kernel does (net/netfilter/xt_owner.c and nft_meta.c,
// measured on 6.18) differs by backend:
//
//   - nf_tables' skuid and skgid are translated through the owner of the network
//     namespace when a packet passes. Nothing needs to be entered.
//   - The owner match of iptables, in both flavours, is refused with EINVAL
//     unless the process that loads it is in that owner namespace. A process
//     with several threads, as every Go program is, cannot enter one, so the
//     process that loads is started by nsenter: [Namespace.UserEntry].
//
// # Plumbing
//
// [Plumbing] is a value: the rules, routes and addresses wanted, or found.
// [Reconcile] compares two of them and says what to change; [Conn.Apply] does
// it, and puts back what was there if a step fails. Everything ours carries
// [Protocol], so it is found whatever mark and table it was made with. What
// somebody else already provides is left alone and not made twice. The zero
// Plumbing is the wish for nothing, so removing needs no code of its own.
//
// The values and Reconcile work on every system; the rest is Linux only, and
// returns [ErrUnsupported] elsewhere.
package netns
