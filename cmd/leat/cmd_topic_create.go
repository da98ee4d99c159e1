package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/cli"
)

type topicCreate struct {
	partitions  int32
	replicas    int16
	configs     []string
	ifNotExists bool
	dryRun      bool
}

func (a *app) topicCreateCommand() *cobra.Command {
	var o topicCreate
	cmd := &cobra.Command{
		Use:     "create TOPIC...",
		Short:   "Create topics",
		Example: "  leat topic create orders -p 4 -c retention.ms=604800000\n  leat topic create a b c --if-not-exists",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			configs, err := pairs("config", o.configs)
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.createTopics(ctx, adm, o, configs, args)
			})
		},
	}
	f := cmd.Flags()
	f.Int32VarP(&o.partitions, "partitions", "p", -1, "partitions; -1 leaves it to the broker")
	f.Int16VarP(&o.replicas, "replicas", "r", -1, "replicas; -1 leaves it to the broker")
	f.StringArrayVarP(&o.configs, "config", "c", nil, "a topic config as NAME=VALUE; may be repeated")
	f.BoolVar(&o.ifNotExists, "if-not-exists", false, "a topic that exists already is no failure")
	f.BoolVar(&o.dryRun, "dry-run", false, "let the broker check, create nothing")
	return cmd
}

func (a *app) createTopics(ctx context.Context, adm *kadm.Client, o topicCreate, configs [][2]string, topics []string) error {
	values := make(map[string]*string, len(configs))
	for _, c := range configs {
		values[c[0]] = &c[1]
	}
	create := adm.CreateTopics
	if o.dryRun {
		create = adm.ValidateCreateTopics
	}
	answers, err := create(ctx, o.partitions, o.replicas, values, topics...)
	if err != nil {
		return err
	}
	var items cli.Items
	results := make([]outcome, 0, len(topics))
	for _, topic := range topics {
		r := outcome{Topic: topic}
		resp, ok := answers[topic]
		switch {
		case !ok:
			r.Error = items.Add(errNoAnswer)
		case o.ifNotExists && errors.Is(resp.Err, kerr.TopicAlreadyExists):
			r.Done = "exists"
			items.Add(nil)
		case resp.Err != nil:
			r.Error = items.Add(brokerError(resp.Err, resp.ErrMessage))
		case o.dryRun:
			r.Done = "would be created"
			items.Add(nil)
		default:
			r.Done = "created with " + cli.Count(int(resp.NumPartitions), "partition")
			if resp.NumPartitions < 0 { // brokers before CreateTopics v5 do not say
				r.Done = "created"
			}
			items.Add(nil)
		}
		results = append(results, r)
	}
	return a.report(results, &items)
}

// report writes outcomes (failures on stderr where people read) and returns the
// error that counts the failures.
func (a *app) report(results []outcome, items *cli.Items) error {
	err := a.out.Write(results, func(w io.Writer) error {
		for _, r := range results {
			if r.Error != "" {
				fmt.Fprintf(a.Err, "%s: %s\n", r.Topic, r.Error)
				continue
			}
			if _, err := fmt.Fprintf(w, "%s: %s\n", r.Topic, r.Done); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, items.Err("topics"))
}
