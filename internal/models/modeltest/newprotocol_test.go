package modeltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// socket is a model behind a TCP socket: a JSON line per record there and back.
type socket struct {
	addr    string
	timeout time.Duration
}

func (m socket) Predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	conn, err := (&net.Dialer{Timeout: m.timeout}).DialContext(ctx, "tcp", m.addr)
	if ctx.Err() != nil {
		return nil, worker.NewError(worker.Retriable, ctx.Err())
	} else if err != nil {
		return nil, worker.NewError(worker.Outage, err) // every record would meet it
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(m.timeout))
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })() // return when ctx ends
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	results := make([]pipeline.Result, len(inputs))
	for i, input := range inputs {
		var reply struct {
			ID, Error, Class string
			Result           any
		}
		if err = out.Encode(map[string]any{"id": input.ID, "value": input.Value}); err == nil {
			err = in.Decode(&reply)
		}
		switch class := map[string]worker.Class{"poison": worker.Poison, "outage": worker.Outage}[reply.Class]; {
		case ctx.Err() != nil:
			return nil, worker.NewError(worker.Retriable, ctx.Err())
		case err != nil: // the call fails: it is retried, a batch is halved until the guilty record stands alone
			return nil, worker.NewError(worker.Retriable, fmt.Errorf("model at %s: %s", m.addr, err))
		case reply.ID != input.ID: // never give a record another one's answer
			return nil, worker.NewError(worker.Retriable, fmt.Errorf("model at %s answered %q, not %q", m.addr, reply.ID, input.ID))
		case reply.Error != "": // this record's own error; the others have their results
			results[i].Err = worker.NewError(max(class, worker.Retriable), errors.New(reply.Error))
		default:
			results[i].Value = reply.Result
		}
	}
	return results, nil
}

func (m socket) Close() error { return nil }
