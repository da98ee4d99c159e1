package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/flow"
	"github.com/leatdev/leat/pipeline"
)

// checked is the result of `leat check`.
type checked struct {
	OK        bool         `json:"ok"`
	Pipelines []string     `json:"pipelines"`
	Steps     int          `json:"steps"`
	Problems  []problemRow `json:"problems"`
	// Differences are declarations that existing topics do not meet; they are
	// looked for only when a cluster is named.
	Differences []flow.Difference `json:"differences"`
}

type problemRow struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check pipeline files, for CI",
		Long: `Check pipeline files, for CI: every mistake with its line and column. Where a cluster is
named, its topics are compared, too. The exit code is 1 if there is a mistake; topics that
are not as declared are told and are none.`,
		Example: "  leat check support.yaml\n  leat check pipelines/*.yaml --kafka staging:9092 -o json",
		GroupID: "pipeline",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), args, cmd.Flags().Changed("brokers"))
		},
	}
	a.addKafka(cmd.Flags())
	return cmd
}

func (a *app) check(ctx context.Context, files []string, cluster bool) error {
	c := checked{Pipelines: []string{}, Problems: []problemRow{}, Differences: []flow.Difference{}}
	pipelines, err := flow.Load(files...)
	if err == nil && cluster {
		err = a.compare(ctx, pipelines, &c)
	}
	var problems pipeline.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		c.Problems = append(c.Problems, problemRow{p.File, p.Line, p.Col, p.Text})
	}
	for _, p := range pipelines {
		c.Pipelines, c.Steps = append(c.Pipelines, p.Name), c.Steps+len(p.Steps)
	}
	c.OK = len(problems) == 0
	werr := a.out.Write(c, func(w io.Writer) error {
		for _, p := range problems {
			fmt.Fprintln(a.Err, p)
		}
		for _, d := range c.Differences {
			fmt.Fprintf(a.Err, "warning: %s\n", d)
		}
		if !c.OK {
			return nil
		}
		_, err := fmt.Fprintf(w, "ok: %s, %s\n", cli.Count(len(c.Pipelines), "pipeline"), cli.Count(c.Steps, "step"))
		return err
	})
	if !c.OK {
		return errors.Join(werr, errors.New(cli.Count(len(problems), "mistake")))
	}
	return werr
}

// compare looks at the topics of the cluster that was named.
func (a *app) compare(ctx context.Context, pipelines []*pipeline.Pipeline, c *checked) error {
	seeds, err := cli.Seeds(a.brokers)
	if err != nil {
		return err
	}
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	cl.Close()
	report, err := newFlow(seeds, nil, slog.New(slog.DiscardHandler), pipelines).Check(ctx)
	if err != nil {
		return err
	}
	c.Differences = append(c.Differences, report.Differences...)
	return nil
}
