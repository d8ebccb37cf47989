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
// What no test could tell by the rules of the language is left alone: the texts
// that people read, the zeros that stand beside an error, the sizes that make
// takes as a hint.
//
//	go run ./test/mutation                                     every target, minutes
//	go run ./test/mutation -only builder -match 'ports.go .*'  some mutants, seconds
//
// It exits 1 if a survivor is not explained, an explanation is for nothing that
// survives (only asked when every mutant of a target is tried), or nothing was tried.
//
// A survivor is named by its file, function, kind, and source text, not by its
// line, so that explanations stay valid while the file around them changes.
package main
