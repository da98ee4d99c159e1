// Package support is the worked system "support desk": small models that read a
// customer's message, and a pipeline that joins their answers into one record
// for the person who replies.
//
// The models are plain functions (Funcs). The same functions are served as a
// child process (ServeExec), as JSON over HTTP (HTTPHandler) and in the Open
// Inference Protocol (V2Handler), so that one pipeline shows all protocols.
package support

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/leatdev/leat/examples/support/data"
	"github.com/leatdev/leat/examples/support/models"
	"github.com/leatdev/leat/examples/support/weights"
	"github.com/leatdev/leat/pipeline"
)

// Func is a model as a function: the value of one record in, its result out (a
// struct that encoding/json can write). Errors are of class Poison: nothing but
// the value can make these models fail. Safe for concurrent use; it has the
// shape that `protocol: go` registers.
type Func = func(ctx context.Context, in pipeline.Input) (any, error)

// Models are the loaded models of the example. Safe for concurrent use.
type Models struct {
	set        *models.Set
	checklists map[string]data.Checklist
}

// Open loads weights from the folder dir, or the shipped ones when dir is "".
func Open(dir string) (*Models, error) {
	var files fs.FS = weights.Files
	if dir != "" {
		files = os.DirFS(dir)
	}
	lexicon, err := data.Lexicon()
	if err != nil {
		return nil, err
	}
	set, err := models.Load(files, lexicon)
	if err != nil {
		return nil, fmt.Errorf("support desk: %w", err)
	}
	checklists, err := data.Checklists()
	if err != nil {
		return nil, err
	}
	m := &Models{set: set, checklists: map[string]data.Checklist{}}
	for _, c := range checklists {
		m.checklists[c.ID] = c
	}
	return m, nil
}

// Cards say in one line each what the models were made of and how good they are.
func (m *Models) Cards() []string {
	var lines []string
	for _, c := range m.set.Cards {
		lines = append(lines, c.String())
	}
	return lines
}
