// Command mutation asks whether the tests would notice: it makes hundreds of
// small mistakes in the code that decides (mutants), one at a time, and runs the
// package's unit tests against each. A mutant that no test notices has survived;
// it needs a new test, or an entry in explained/ that says why no test can
// tell it from the original.
//
// All mutants of a package are compiled at once, each behind a number:
//
//	if len(p) > 0 {      if mutant(7) || !mutant(8) && (len(p) > 0) {
//
// and the test program is run once for each number. The original files are not
// touched: the compiler is given the mutants by -overlay.
//
// A survivor is named by its file, function, kind, and source text, not by its
// line, so that explanations stay valid while the file around them changes.
package main
