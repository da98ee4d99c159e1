package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/flow"
	"github.com/leatdev/leat/internal/gateway"
	"github.com/leatdev/leat/internal/life"
	"github.com/leatdev/leat/pipeline"
)

// addKafka gives a pipeline command the flag -B, which is also called --kafka.
func (a *app) addKafka(f *pflag.FlagSet) {
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "kafka" {
			name = "brokers"
		}
		return pflag.NormalizedName(name)
	})
	a.addBrokers(f)
	f.Lookup("brokers").Usage += "; also --kafka"
}

// newFlow makes the pipelines ready to run or to be asked about.
func newFlow(seeds []string, reach []kgo.Opt, log *slog.Logger, pipelines []*pipeline.Pipeline) *flow.Flow {
	return flow.New(flow.Config{
		Seeds: seeds, ClientOpts: reach, Protocols: flow.Protocols(functions(), log), Logger: log,
	}, pipelines)
}

// pipelinesPart runs pipelines in this process. make is called when the parts
// before it have started.
func (h *house) pipelinesPart(make func() *flow.Flow) life.Part {
	var (
		f      *flow.Flow
		ended  = newEnding()
		cancel context.CancelFunc
	)
	return life.Part{
		Name: "pipelines",
		Start: func(ctx context.Context) error {
			f = make()
			var rctx context.Context
			rctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
			go func() { ended.set(f.Run(rctx)) }()
			select {
			case <-f.Ready():
			case <-ended.done:
				cancel()
				return ended.err
			case <-ctx.Done():
				cancel()
				<-ended.done
				return ctx.Err()
			}
			for _, c := range f.Collectors() {
				if err := h.registry.Register(c); err != nil {
					h.log.Warn("metrics of a step are missing", "err", err)
				}
			}
			h.checks = append(h.checks, gateway.Check{Name: "pipelines", Ready: func(context.Context) error { return stoppedSteps(f) }})
			return nil
		},
		Run: func(soft, hard context.Context) error {
			select {
			case <-ended.done:
				return ended.err
			case <-soft.Done():
			}
			cancel() // drain: what is in flight is finished and committed
			select {
			case <-ended.done:
				return ended.err
			case <-hard.Done():
				return errors.New("did not drain in time; what was in flight will be done again")
			}
		},
	}
}

// ending is an error that comes once.
type ending struct {
	done chan struct{}
	err  error // read after done
}

func newEnding() *ending { return &ending{done: make(chan struct{})} }

func (r *ending) set(err error) {
	r.err = err
	close(r.done)
}

// stoppedSteps is the error of /readyz for steps that have stopped by themselves.
// A paused step is no error: it waits for its model and says so in its metrics.
func stoppedSteps(f *flow.Flow) error {
	var errs []error
	for _, s := range f.Status() {
		if s.Error != "" {
			errs = append(errs, fmt.Errorf("step %s.%s has stopped: %s", s.Pipeline, s.Step, s.Error))
		}
	}
	return errors.Join(errs...)
}
