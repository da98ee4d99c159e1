package flow

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/leatdev/leat/internal/models/exec"
	"github.com/leatdev/leat/internal/models/gofunc"
	"github.com/leatdev/leat/internal/models/http"
	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/openai"
	"github.com/leatdev/leat/internal/models/v2"
	"github.com/leatdev/leat/pipeline"
)

// Protocols are the built-in model protocols; funcs are what protocol go may
// call. A program may add its own to the map.
func Protocols(funcs pipeline.Funcs, log *slog.Logger) map[pipeline.Protocol]Constructor {
	return map[pipeline.Protocol]Constructor{
		pipeline.HTTP:   newHTTP,
		pipeline.V2:     newV2,
		pipeline.OpenAI: newOpenAI,
		pipeline.Exec:   func(m *pipeline.ModelSpec) (pipeline.Model, error) { return newExec(m, log) },
		pipeline.Go:     func(m *pipeline.ModelSpec) (pipeline.Model, error) { return newGo(m, funcs) },
	}
}

func newHTTP(m *pipeline.ModelSpec) (pipeline.Model, error) {
	return http.New(http.Config{Config: callConfig(m), Shape: http.Shape(m.Shape)})
}

func newV2(m *pipeline.ModelSpec) (pipeline.Model, error) {
	cfg := v2.Config{Config: callConfig(m), Model: m.Model, Version: m.Version}
	for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
		t := m.Inputs[name]
		cfg.Inputs = append(cfg.Inputs, v2.Input{Name: name, Datatype: t.Datatype, Shape: t.Shape, Value: func(in pipeline.Input) (any, error) {
			if t.Value == nil {
				return in.Value, nil
			}
			return t.Value.Eval(pipeline.TensorEnv{Value: in.Value, Key: string(in.Key), Headers: in.Headers, ID: in.ID})
		}})
	}
	return v2.New(cfg)
}

func newOpenAI(m *pipeline.ModelSpec) (pipeline.Model, error) {
	return openai.New(openai.Config{Config: callConfig(m), Task: m.Task, Model: m.Model, Dimensions: m.Dimensions})
}

func newExec(m *pipeline.ModelSpec, log *slog.Logger) (pipeline.Model, error) {
	cfg := exec.Config{Name: m.Name, Env: reveal(m.Env), Dir: m.Dir, Processes: m.Processes, Timeout: m.Timeout, Logger: log}
	for _, t := range m.Command {
		cfg.Command = append(cfg.Command, t.Reveal())
	}
	return exec.New(cfg)
}

func newGo(m *pipeline.ModelSpec, funcs pipeline.Funcs) (pipeline.Model, error) {
	name := m.Model
	if name == "" {
		name = m.Name
	}
	fn, ok := funcs[name]
	if !ok {
		if len(funcs) == 0 {
			return nil, fmt.Errorf("no function is registered as %q: protocol go calls functions of the program that runs the pipeline, and this one has none", name)
		}
		return nil, fmt.Errorf("no function is registered as %q; there are %v", name, slices.Sorted(maps.Keys(funcs)))
	}
	return gofunc.New(gofunc.Config{Each: fn.Each, Batch: fn.Batch, Concurrency: m.Concurrency, Timeout: m.Timeout})
}

func callConfig(m *pipeline.ModelSpec) httpcall.Config {
	return httpcall.Config{
		URL: m.URL.Reveal(), Headers: reveal(m.Headers), Timeout: m.Timeout, Concurrency: m.Concurrency,
		Statuses: httpcall.Statuses{Poison: m.Errors.Poison, Pause: m.Errors.Pause, Retry: m.Errors.Retry},
	}
}

func reveal(texts map[string]pipeline.Text) map[string]string {
	out := make(map[string]string, len(texts))
	for k, t := range texts {
		out[k] = t.Reveal()
	}
	return out
}
