package main

import (
	"context"
	"sync"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// functions are what `protocol: go` may call in this program: those of the
// support desk, so that its pipeline file runs as it is. Programs of your own
// register their own. The weights are loaded at the first call.
func functions() pipeline.Funcs {
	load := sync.OnceValues(func() (map[string]support.Func, error) {
		m, err := support.Open("")
		if err != nil {
			return nil, err
		}
		return m.Funcs(), nil
	})
	funcs := pipeline.Funcs{}
	for _, name := range []string{"mood", "tagger", "class", "keywords", "embed", "nearest"} {
		funcs[name] = pipeline.Func{Each: func(ctx context.Context, in pipeline.Input) (any, error) {
			all, err := load()
			if err != nil {
				return nil, worker.NewError(worker.Fatal, err)
			}
			return all[name](ctx, in)
		}}
	}
	return funcs
}
