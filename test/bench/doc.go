// Command bench measures sluice beside other ways to load the same rules, in one
// run on one machine, and writes docs/performance.md and its plot. `make bench`
// builds what it needs and starts it.
//
// Every variant starts as a whole process in a network namespace that was made
// for this one start; the order of variants is shuffled in every round, so that
// a slow minute of the machine hits all of them. Medians and the middle half of
// the measurements are shown, never single runs.
package main
