package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/flow"
	"github.com/leatdev/leat/internal/life"
	"github.com/leatdev/leat/pipeline"
)

func (a *app) devCommand() *cobra.Command {
	var o brokerOptions
	cmd := &cobra.Command{
		Use:   "dev [PIPELINE...]",
		Short: "Run a broker, and the pipelines given, in one process on this machine",
		Long: `Run a broker, and the pipelines given, in one process on this machine. It listens on
loopback addresses only, keeps its data in ./leat-data, and prints where it is and what to
type next. Delete the directory to begin again.

It is leat serve and leat run together, but for one config: consumer groups do not wait
for more members (group.initial.rebalance.delay.ms=0), unless you set it.`,
		Example: "  leat dev\n  leat dev support.yaml",
		GroupID: "server",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd.Flags()); err != nil {
				return err
			}
			if err := loopbackOnly(o); err != nil {
				return err
			}
			if _, ok := o.configs[rebalanceDelay]; !ok {
				o.configs[rebalanceDelay] = "0"
			}
			return a.dev(cmd.Context(), o, args)
		},
	}
	o.addFlags(cmd.Flags())
	a.addLog(cmd.Flags())
	return cmd
}

// rebalanceDelay spares a cluster of many consumers rebalances while they start;
// with one developer waiting it is three seconds of nothing at every start.
const rebalanceDelay = "group.initial.rebalance.delay.ms"

// loopbackOnly refuses addresses that others could reach: dev has no passwords,
// and is started without a thought.
func loopbackOnly(o brokerOptions) error {
	if o.configs["listeners"] != "" || o.listen == "" {
		return cli.Usagef("leat dev listens where --listen says, on loopback; for the config listeners use leat serve")
	}
	for _, addr := range []string{o.listen, o.http} {
		host, _, err := net.SplitHostPort(addr)
		if addr == "" || (addr == o.http && host == "") { // the HTTP door takes loopback itself
			continue
		}
		if err != nil {
			return cli.Usagef("address %q: %w", addr, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return cli.Usagef("leat dev listens on loopback addresses only, and %s is none; for others use leat serve", addr)
		}
	}
	return nil
}

func (a *app) dev(ctx context.Context, o brokerOptions, files []string) error {
	log, err := a.logger()
	if err != nil {
		return err
	}
	var pipelines []*pipeline.Pipeline
	if len(files) > 0 {
		if pipelines, err = flow.Load(files...); err != nil {
			return err
		}
	}
	h := newHouse(o, log)
	parts := []life.Part{h.brokerPart()}
	if len(pipelines) > 0 {
		parts = append(parts, h.pipelinesPart(func() *flow.Flow {
			return newFlow([]string{h.server.Addr()}, h.reach, log, pipelines)
		}))
	}
	parts = append(parts, h.httpPart())
	return h.run(ctx, func() error { return a.tellDev(h, files, pipelines) }, parts...)
}

// devAddresses is what `leat dev -o json` prints when everything is ready.
type devAddresses struct {
	Kafka     string   `json:"kafka"`
	HTTP      string   `json:"http,omitempty"`
	Data      string   `json:"data"`
	Pipelines []string `json:"pipelines"`
}

// tellDev prints where everything is and what to type next.
func (a *app) tellDev(h *house, files []string, pipelines []*pipeline.Pipeline) error {
	d := devAddresses{Kafka: h.server.Addr(), Data: h.o.data, Pipelines: []string{}}
	if h.gateway != nil {
		d.HTTP = "http://" + h.gateway.Addr()
	}
	for _, p := range pipelines {
		d.Pipelines = append(d.Pipelines, p.Name)
	}
	return a.out.Write(d, func(w io.Writer) error {
		bold := func(s string) string { return a.Paint(a.OutTerminal, cli.Bold, s) }
		fmt.Fprintf(w, "Kafka      %s\n", bold(d.Kafka))
		if d.HTTP != "" {
			fmt.Fprintf(w, "HTTP       %s/metrics, /healthz, /readyz\n", bold(d.HTTP))
		}
		fmt.Fprintf(w, "Data       %s\n", d.Data)
		if len(pipelines) > 0 {
			fmt.Fprintf(w, "Pipelines  %s\n", strings.Join(d.Pipelines, ", "))
		}
		at := ""
		if d.Kafka != defaultListen {
			at = " -B " + d.Kafka
		}
		topic := "hello"
		if len(pipelines) > 0 {
			topic = pipelines[0].Steps[0].Inputs()[0]
		}
		fmt.Fprintf(w, "\nNext, in another terminal:\n")
		leat := howToCall()
		fmt.Fprintf(w, "  echo '{\"text\": \"hello\"}' | %s produce %s%s\n", leat, topic, at)
		fmt.Fprintf(w, "  %s consume %s --to end%s\n", leat, topic, at)
		fmt.Fprintf(w, "  kcat -b %s -L\n", d.Kafka)
		if len(files) > 0 {
			fmt.Fprintf(w, "  %s explain %s%s\n  %s dlq list%s\n", leat, strings.Join(files, " "), at, leat, at)
		}
		_, err := fmt.Fprintf(w, "\nCtrl-C stops it; the data stays.\n")
		return err
	})
}
