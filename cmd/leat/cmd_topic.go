package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) topicCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "topic",
		Short:   "List, create, describe, delete and configure topics",
		GroupID: "data",
		Example: "  leat topic list\n  leat topic create orders -p 4",
	}
	a.addBrokers(cmd.PersistentFlags())
	cmd.AddCommand(
		a.topicListCommand(),
		a.topicCreateCommand(),
		a.topicDescribeCommand(),
		a.topicDeleteCommand(),
		a.topicAddPartitionsCommand(),
		a.topicTrimPrefixCommand(),
		a.configCommand(topicConfig),
	)
	return cmd
}

// outcome is what became of one topic, group or partition that a command was given.
type outcome struct {
	Topic string `json:"topic"`
	// Done is what happened, or with --dry-run what would.
	Done  string `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

// brokerError is err with the broker's own words, which say what exactly it
// refused; a bare error name seldom does.
func brokerError(err error, words string) error {
	if err == nil {
		return nil
	}
	var k *kerr.Error
	if !errors.As(err, &k) {
		return err
	}
	switch {
	case errors.Is(k, kerr.UnknownTopicOrPartition):
		words = "there is no such topic; `leat topic list` shows those there are"
	case errors.Is(k, kerr.GroupIDNotFound):
		words = "there is no such group; `leat group list` shows those there are"
	case errors.Is(k, kerr.TransactionalIDNotFound):
		words = "there is no such transactional id; `leat txn list` shows those there are"
	case errors.Is(k, kerr.CoordinatorNotAvailable):
		words = "the coordinator is not ready: try again; a new Apache Kafka has none before its first group or transaction"
	case words == "":
		words = k.Description
	}
	return fmt.Errorf("%s: %s", k.Message, words)
}

// pairs reads NAME=VALUE arguments.
func pairs(what string, args []string) ([][2]string, error) {
	out := make([][2]string, 0, len(args))
	for _, s := range args {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, cli.Usagef("%s %q: want NAME=VALUE", what, s)
		}
		out = append(out, [2]string{name, value})
	}
	return out, nil
}
