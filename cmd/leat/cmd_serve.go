package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var o brokerOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the broker on a data directory",
		Long: `Run the broker on a data directory, which it creates. It serves the Kafka protocol until
it is stopped; SIGINT or SIGTERM drains, a second one ends it at once.

Configs have Kafka's own names. The order is flag, environment, file, default; the file is
YAML with the keys data, listen, advertise, http, backup_dir, durability and configs:

  data: /var/lib/leat
  listen: 127.0.0.1:9092
  configs: {num.partitions: 4, log.retention.ms: 604800000}

There are no passwords yet: listen on other than loopback addresses only where everybody
who can connect may read and write everything.`,
		Example: `  leat serve --data ./leat-data
  leat serve --data /var/lib/leat --config leat.yaml -c num.partitions=4 --http :9644`,
		GroupID: "server",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd.Flags()); err != nil {
				return err
			}
			return a.serve(cmd.Context(), o)
		},
	}
	o.addFlags(cmd.Flags())
	a.addLog(cmd.Flags())
	return cmd
}

// serve runs a broker until ctx ends. It has nothing to say on stdout: the log
// is on stderr.
func (a *app) serve(ctx context.Context, o brokerOptions) error {
	log, err := a.logger()
	if err != nil {
		return err
	}
	h := newHouse(o, log)
	return h.run(ctx, nil, h.brokerPart(), h.httpPart())
}
