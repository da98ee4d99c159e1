//go:build !linux

package trim

// dropProgramPages does nothing where the system does not tell which pages those are.
func dropProgramPages() {}
