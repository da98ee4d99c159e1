//go:build sim

package mutant

var planted string

// On says whether the named mistake is to be made.
func On(name string) bool { return planted != "" && planted == name }

// Plant has the named mistake made from now on, in this whole process; "" none.
// It must not be called while an engine runs.
func Plant(name string) { planted = name }
