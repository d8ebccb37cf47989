// Package cni is the plugin: the verbs of the CNI specification, from 0.3.0 to
// 1.1.0, around the decision of package decide.
//
//	environment, stdin → Request → decide ──ask──→ node agent (podapi)
//	                                  │
//	                                  ├ pass     → prevResult
//	                                  ├ program  → Rules.Apply → prevResult
//	                                  └ error    → {"code":…,"msg":…}
//
// A [Plugin] holds everything it touches as a field, so a test can run a call
// without a process. It reads its input itself instead of through the CNI
// project's skel package: a runtime starts this program for every pod of the
// node, and most of the time it has to do nothing, fast. The CNI project's own
// libcni drives it in the tests.
package cni
