package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/flow"
	"github.com/leatdev/leat/internal/gateway"
)

func (a *app) runCommand() *cobra.Command {
	var o brokerOptions
	cmd := &cobra.Command{
		Use:   "run FILE...",
		Short: "Run pipelines against a Kafka-protocol cluster",
		Long: `Run pipelines against a Kafka-protocol cluster, as members of consumer groups: start it
on more machines to share the work. SIGINT or SIGTERM drains: what is in flight is
finished and committed; a second one ends it at once.

On a cluster that somebody else runs, acks=all means what that cluster's replication
makes of it, not fsync.`,
		Example: `  leat run support.yaml
  leat run support.yaml --kafka kafka1:9092,kafka2:9092 --http :9644`,
		GroupID: "pipeline",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runPipelines(cmd.Context(), o.http, args)
		},
	}
	f := cmd.Flags()
	a.addKafka(f)
	f.StringVar(&o.http, "http", "", "host:port for /metrics, /healthz and /readyz; default none")
	cli.FromEnv(f, "http", "LEAT_HTTP")
	a.addLog(f)
	return cmd
}

func (a *app) runPipelines(ctx context.Context, http string, files []string) error {
	log, err := a.logger()
	if err != nil {
		return err
	}
	pipelines, err := flow.Load(files...)
	if err != nil {
		return err
	}
	seeds, err := cli.Seeds(a.brokers)
	if err != nil {
		return err
	}
	cl, err := cli.Dial(ctx, seeds, version().Version, "leat dev "+files[0])
	if err != nil {
		return interrupted(ctx, err)
	}
	defer cl.Close()
	h := newHouse(brokerOptions{http: http}, log)
	h.reach = cli.Identity(seeds, version().Version)
	h.checks = append(h.checks, gateway.Check{Name: "cluster", Ready: cl.Ping})
	return h.run(ctx, nil,
		h.pipelinesPart(func() *flow.Flow { return newFlow(seeds, nil, log, pipelines) }),
		h.httpPart())
}
