// Package faults holds the programs to what they promise when something goes
// wrong in the middle. A program under test runs under ptrace; every system
// call by which it, or a program that it started, can change anything outside
// of itself is a step. So the steps are enumerated by what the program does: a
// step that somebody adds tomorrow is stopped at, killed at and failed at
// without a line added here.
//
// At a step the whole program stands still, and the test can connect, edit
// rules, start a second program, or end the step with an error of its choice.
//
// The tests need root and an amd64 kernel with ptrace.
package faults
