//go:build race

package pace

// Factor multiplies a bound on processor time. The race detector's manual says
// two to twenty times (https://go.dev/doc/articles/race_detector).
const Factor = 20
