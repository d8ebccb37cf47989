// Package sidecar is the proxy of the tests: it accepts what interception
// sends to it, finds out where the client wanted to go, and says so or goes
// there. It is no product, knows no configuration but its struct, and opens
// every socket through a [sock.Net], so that a test can run it inside its own
// process in a namespace and as a proxy's user.
//
//	          ┌ Out 15001 ─┐               ┌ Answer   one line back: who got what
//	accepted ─┼ In 15006 ──┼─ Arrival ─▶ Handler
//	          ├ Tunnel ────┤               ├ Forward  on to the original destination
//	          └ DNS 15053 ─┘               └ Mutual   the same, with mutual TLS between sidecars
//
// A [Handler] serves one arrival. An [App] is the other end: a server that
// answers with the same line, so a client always learns who took its
// connection. An [HTTPApp] does so in HTTP, and says which identity its sidecar
// told it.
package sidecar
