//go:build !sim

package mutant

// On says whether the named mistake is to be made: never.
func On(string) bool { return false }
