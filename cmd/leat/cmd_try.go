package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/flow"
	"github.com/leatdev/leat/worker"
)

// tried is the result of `leat try`.
type tried struct {
	*flow.TryResult
	// Value is the result's value as JSON if it is JSON, else as a string; bytes
	// that are not UTF-8 are in ValueBase64 instead.
	Value       any    `json:"value,omitempty"`
	ValueBase64 []byte `json:"valueBase64,omitempty"`
	Error       string `json:"error,omitempty"`
	Class       string `json:"class,omitempty"`
}

func (a *app) tryCommand() *cobra.Command {
	var (
		in      flow.TryInput
		value   string
		key     string
		headers []string
		null    bool
	)
	cmd := &cobra.Command{
		Use:   "try FILE... --step STEP --value VALUE",
		Short: "Take one record through one step, with its real model and no cluster",
		Long: `Take one record through one step, with its real model and no cluster: nothing is read
from topics and nothing is written. The exit code is 1 if the record would fail.`,
		Example: `  leat try support.yaml --step mood --value '{"text": "thank you!"}'
  leat try support.yaml --step tags --value - < message.json`,
		GroupID: "pipeline",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set := cmd.Flags().Changed
			if set("value") == null {
				return cli.Usagef("which record? Either --value VALUE (- reads it from standard input) or --null")
			}
			hs, err := pairs("header", headers)
			if err != nil {
				return err
			}
			in.Headers = map[string]string{}
			for _, h := range hs {
				in.Headers[h[0]] = h[1]
			}
			if set("key") {
				in.Key = []byte(key)
			}
			if !null {
				in.Value = []byte(value)
			}
			if value == "-" {
				if in.Value, err = io.ReadAll(a.In); err != nil {
					return fmt.Errorf("standard input: %w", err)
				}
			}
			return a.try(cmd.Context(), args, in)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.Step, "step", "", "the step, or pipeline.step")
	f.StringVar(&value, "value", "", "the record's value; - reads it from standard input")
	f.BoolVar(&null, "null", false, "a record without a value, a tombstone")
	f.StringVarP(&key, "key", "k", "", "the record's key")
	f.StringArrayVarP(&headers, "header", "H", nil, "a header as NAME=VALUE; may be repeated")
	f.StringVar(&in.Topic, "topic", "", "the topic it comes from, if the step reads several")
	return cmd
}

func (a *app) try(ctx context.Context, files []string, in flow.TryInput) error {
	pipelines, err := flow.Load(files...)
	if err != nil {
		return err
	}
	// A model that starts badly says so; the rest is in the result.
	log := slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r, err := newFlow(nil, nil, log, pipelines).Try(ctx, in)
	if err != nil {
		return err
	}
	t := tried{TryResult: r}
	if s, b := text(r.Value); b != nil {
		t.ValueBase64 = b
	} else if json.Valid(r.Value) {
		t.Value = json.RawMessage(r.Value)
	} else if s != nil {
		t.Value = *s
	}
	if r.Err != nil {
		t.Error, t.Class = r.Err.Error(), worker.ClassOf(r.Err).String()
	}
	if err := a.out.Write(t, func(w io.Writer) error { return t.text(w, in.Step) }); err != nil {
		return err
	}
	if r.Err != nil {
		return fmt.Errorf("%s: %w", in.Step, r.Err)
	}
	return nil
}

func (t tried) text(w io.Writer, step string) error {
	switch {
	case t.Err != nil && t.DeadLetter != "":
		_, err := fmt.Fprintf(w, "it would become a dead letter in %s\n", t.DeadLetter)
		return err
	case t.Err != nil:
		return nil // main says why
	case t.Skipped:
		_, err := fmt.Fprintf(w, "%s passes it over: `when` says no\n", step)
		return err
	}
	fmt.Fprintf(w, "to      %s\nkey     %s\n", t.Topic, t.Key)
	for _, h := range slices.Sorted(maps.Keys(t.Headers)) {
		fmt.Fprintf(w, "header  %s=%s\n", h, t.Headers[h])
	}
	_, err := fmt.Fprintf(w, "value   %s\ntook    %.2f ms\n", readable(t.TryResult.Value), t.TookMs)
	return err
}
