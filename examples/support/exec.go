package support

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// ServeExec is the loop of a model that runs as a child process (`protocol:
// exec`): one JSON line in, {"id", "value"}, one JSON line out, {"id",
// "result"} or {"id", "error", "class"}. It returns nil when in ends, which is how the
// parent asks it to stop. A line that is no such object is answered with an
// error, too: nothing that comes in ends the process.
func ServeExec(ctx context.Context, in io.Reader, out io.Writer, f Func) error {
	lines := bufio.NewReader(in)
	for ctx.Err() == nil {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := json.NewEncoder(out).Encode(answer(ctx, line, f)); err != nil {
				return fmt.Errorf("writing a result: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
	}
	return ctx.Err()
}

func answer(ctx context.Context, line []byte, f Func) any {
	type failure struct {
		ID    json.RawMessage `json:"id"`
		Error string          `json:"error"`
		Class string          `json:"class"`
	}
	var request struct {
		ID    json.RawMessage `json:"id"`
		Value any             `json:"value"`
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return failure{nil, fmt.Sprintf("the line is no JSON object with id and value: %v", err), worker.Poison.String()}
	}
	id := ""
	if err := json.Unmarshal(request.ID, &id); err != nil {
		id = string(request.ID)
	}
	result, err := f(ctx, pipeline.Input{ID: id, Value: request.Value})
	if err != nil {
		return failure{request.ID, reason(err), worker.ClassOf(err).String()}
	}
	return struct {
		ID     json.RawMessage `json:"id"`
		Result any             `json:"result"`
	}{request.ID, result}
}
