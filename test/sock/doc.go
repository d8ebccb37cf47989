// Package sock opens the sockets of the tests with the options that
// interception is about: a mark, a source address, a transparent bind, a
// device. Everything under test that opens sockets does so through [Net], so
// that one caller can place them in its own namespace ([Host]) and another in
// a namespace and under a uid that it chose.
package sock
