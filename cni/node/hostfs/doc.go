// Package hostfs changes files of the host from inside a container that sees a
// few of the host's folders under a root of its own.
//
// Two things go wrong there easily. A symbolic link of the host, followed with
// the container's eyes, leads to a file of the container: Resolve follows it
// under the host's root, and refuses what lies outside the mounted folders
// instead of making a file where nobody looks. And a program that is killed
// while it writes leaves half a file: Replace writes beside it and renames, in
// the same folder, because a container runtime does not notice a file that
// arrives by rename from another one.
package hostfs
