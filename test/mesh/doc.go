// Package mesh plays the scenes of a service mesh on a real kernel: pods with
// and without a sidecar, connections between them, and the real programs that
// put the interception rules in place. A scene returns what happened as values;
// a test holds them to the expectation, and the demonstration prints them.
//
// What a scene is played with are table entries: a [Backend] says how rules
// reach the kernel, a [Path] says which program puts them there.
//
// Scenes need root.
package mesh
