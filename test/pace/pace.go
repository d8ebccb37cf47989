// Package pace says how much longer code takes in this build, so that a test
// that bounds processor time bounds it in every build.
package pace
