// Package rig makes small networks of namespaces for tests that need a real
// kernel: a pod, a world outside of it, and real connections between the two
// under chosen uids and gids.
//
//	        world                                       pod
//	198.51.100.1-3, 2001:db8:2::1-3 on lo
//	192.0.2.1, 2001:db8:1::1    eth0 ─────────── eth0   192.0.2.2, 2001:db8:1::2
//	    route 203.0.113.0/24, 2001:db8:3::/64  ───▶     default route back
//
// Everything has an address of the documentation or benchmark ranges. A
// namespace is named slt-PID-N-ROLE, is an ordinary named one (`ip -n NAME`
// works while the test sleeps), and is deleted when the test ends. What a killed
// test left is swept when the next one starts.
//
// # Threads
//
// A network namespace belongs to a thread, and Go moves goroutines between
// threads. [Namespace.Do] therefore locks the calling goroutine to its thread,
// enters, calls, and leaves. Sockets opened and processes started inside belong
// to the namespace for good; a goroutine started inside does not run in it.
//
// # Credentials
//
// The owner matches of iptables and nf_tables read the file system uid and gid
// with which a socket's file was opened. [Namespace.Net] sets just these two on
// the locked thread, so a connection "as uid 1000" costs two system calls, and
// needs no process. Accepted connections get a file of their own: the listener
// sets the credentials around each accept too.
//
// The tests need root, and fail with one line without it.
package rig
