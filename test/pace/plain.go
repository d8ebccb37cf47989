//go:build !race

package pace

// Factor multiplies a bound on processor time: 1 without the race detector.
const Factor = 1
