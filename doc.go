// Package sluice holds no code: it is the module's front page. The programs
// are under cmd; data flows one way through the packages,
//
//	settings → rules → plan → kernel → proof
//	builder    iptables, nftables, netns   validation
//
// and docs/architecture.md walks through them.
package sluice
