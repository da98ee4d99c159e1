package main

import "github.com/spf13/pflag"

// addDestructive gives a command that cannot be undone its two flags.
func addDestructive(f *pflag.FlagSet, yes, dryRun *bool) {
	f.BoolVarP(yes, "yes", "y", false, "do not ask")
	f.BoolVar(dryRun, "dry-run", false, "say what would be done, do nothing")
}
