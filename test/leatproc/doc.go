// Package leatproc runs the leat program for tests as users run it: as a process
// of its own, which can be stopped, killed and started again on the same data.
package leatproc
