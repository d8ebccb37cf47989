// Package behaviour holds the policy to the kernel: for each scene it programs
// a pod with every backend and opens real connections, of real users, in both
// families. Each probe says in words where its connection must land; the
// policy (builder.Decide) and the walk through the rendered rules
// (iptables.Ruleset.Trace) must say the same.
package behaviour
