package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envAnnotation is where a flag remembers its environment variable.
const envAnnotation = "leat_env"

// FromEnv lets the environment variable name stand in for the flag when it is
// not given, and says so in the flag's help. The order is flag, environment,
// file, default.
func FromEnv(flags *pflag.FlagSet, flag, name string) {
	f := flags.Lookup(flag)
	f.Usage += " (env " + name + ")"
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[envAnnotation] = []string{name}
}

// ApplyEnv sets the flags of cmd that were not given from the environment.
// They then count as changed, so that a file does not override them.
func ApplyEnv(cmd *cobra.Command, getenv func(string) string) error {
	var first error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names := f.Annotations[envAnnotation]
		if len(names) == 0 || f.Changed || first != nil {
			return
		}
		v := getenv(names[0])
		if v == "" {
			return
		}
		if err := cmd.Flags().Set(f.Name, v); err != nil {
			first = Usage(fmt.Errorf("environment variable %s: %w", names[0], err))
		}
	})
	return first
}
