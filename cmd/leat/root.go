package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/obs"
)

// app is one call of the program: its world and the flags that every command has.
type app struct {
	cli.World
	out                 cli.Output
	brokers             []string
	logLevel, logFormat string
}

// run is the program without the process: it returns the exit code.
func run(ctx context.Context, w cli.World, args []string) int {
	a := &app{World: w, out: cli.Output{W: w.Out}}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return cli.ExitOK
	}
	fmt.Fprintf(w.Err, "%s %v\n", w.Paint(w.ErrTerminal, cli.Red, "error:"), err)
	if cli.IsUsage(err) {
		fmt.Fprintf(w.Err, "See `%s --help`.\n", cmd.CommandPath())
	}
	return cli.ExitCode(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "leat",
		Short: "Carries events to models: a Kafka-compatible log, and pipelines of models over it",
		Long: `Leat carries events to models: a durable, Kafka-compatible log and the pipelines
of models that run over it, in one binary.

Exit codes: 0 done, 1 failed (the command, or any one of its items), 2 called wrongly.`,
		Example:           "  leat demo\n  leat dev pipeline.yaml\n  leat topic list",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.before,
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.out.Format, "output", "o", "text", "format of what is found: "+strings.Join(cli.Formats, ", "))
	cli.FromEnv(flags, "output", "LEAT_OUTPUT")

	root.AddGroup(
		&cobra.Group{ID: "server", Title: "Servers:"},
		&cobra.Group{ID: "disk", Title: "Data directories:"},
		&cobra.Group{ID: "pipeline", Title: "Pipelines:"},
		&cobra.Group{ID: "data", Title: "Topics, records, groups and transactions (of any Kafka-protocol cluster):"})
	root.AddCommand(a.commands()...)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.Usage(err) })
	strict(root)
	return root
}

// commands lists every command; there is no other list.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(),
		a.demoModel(),
		a.devCommand(),
		a.serveCommand(),
		a.doctorCommand(),
		a.backupCommand(),
		a.restoreCommand(),
		a.runCommand(),
		a.explainCommand(),
		a.checkCommand(),
		a.tryCommand(),
		a.dlqCommand(),
		a.topicCommand(),
		a.produceCommand(),
		a.consumeCommand(),
		a.groupCommand(),
		a.txnCommand(),
		a.quotaCommand(),
		a.benchCommand(),
		a.versionCommand(),
	}
}

// before runs before every command.
func (a *app) before(cmd *cobra.Command, _ []string) error {
	if err := cli.ApplyEnv(cmd, a.Getenv); err != nil {
		return err
	}
	return a.out.Check()
}

// strict makes mistakes in arguments usage errors, in every command: a wrong
// number of them, and a verb that a group of commands does not have.
func strict(cmd *cobra.Command) {
	check := cmd.Args
	switch {
	case !cmd.Runnable():
		cmd.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			msg := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				msg += ", did you mean " + strings.Join(near, " or ") + "?"
			}
			return cli.Usagef("%s", msg)
		}
		// Alone, a group shows its help. It must be runnable for Args to be asked.
		cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		cmd.SuggestionsMinimumDistance = 2
	case check != nil:
		cmd.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) == nil {
				return nil
			}
			what := "these arguments do not fit"
			if len(args) == 0 {
				what = "arguments are missing"
			}
			return cli.Usagef("%s: it is `%s`", what, strings.TrimSuffix(c.UseLine(), " [flags]"))
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// addBrokers gives a command, and those under it, the flag -B.
func (a *app) addBrokers(flags *pflag.FlagSet) {
	flags.StringSliceVarP(&a.brokers, "brokers", "B", []string{cli.DefaultBroker}, "host:port of one or more brokers, separated by commas")
	cli.FromEnv(flags, "brokers", "LEAT_BROKERS")
}

// addLog gives a long-running command the flags of its log.
func (a *app) addLog(flags *pflag.FlagSet) {
	flags.StringVar(&a.logFormat, "log-format", "text", "format of the log on stderr: "+strings.Join(obs.LogFormats, ", "))
	flags.StringVar(&a.logLevel, "log-level", "info", "least level that is logged: "+strings.Join(obs.LogLevels, ", "))
	cli.FromEnv(flags, "log-format", "LEAT_LOG_FORMAT")
	cli.FromEnv(flags, "log-level", "LEAT_LOG_LEVEL")
}

// logger makes the log that the flags of addLog describe.
func (a *app) logger() (*slog.Logger, error) {
	l, err := obs.NewLogger(a.Err, a.logFormat, a.logLevel)
	return l, cli.Usage(err)
}

// client returns a client of the brokers named with -B; the caller closes it.
func (a *app) client(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	return cli.Dial(ctx, a.brokers, version().Version, "leat dev", opts...)
}

// withClient calls f with a client and closes it afterwards.
func (a *app) withClient(ctx context.Context, f func(context.Context, *kgo.Client) error) error {
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	return f(ctx, cl)
}

// withAdmin is withClient for what kadm can ask for.
func (a *app) withAdmin(ctx context.Context, f func(context.Context, *kadm.Client) error) error {
	return a.withClient(ctx, func(ctx context.Context, cl *kgo.Client) error { return f(ctx, kadm.NewClient(cl)) })
}
