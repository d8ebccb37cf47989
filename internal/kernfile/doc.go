// Package kernfile reads small files in one go, above all those of proc.
//
// os.ReadFile asks the runtime's poller about every file. The first asking
// starts the poller and a thread that waits in it, and a file below /proc/sys
// can be polled, so that each one wakes that thread twice: together more than
// all else that a short program does. Files that never block need none of it.
package kernfile
