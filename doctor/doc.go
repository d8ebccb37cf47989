// Package doctor finds out what a machine and a namespace can do for
// interception, and says what each finding means and what to do about it. It
// changes nothing: a backend is tried out in a network namespace of its own,
// which is gone when the trial is over.
package doctor
