// Package openai is the model protocol `openai`: any server with OpenAI's API,
// by the official SDK. Its one task so far is embeddings.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/leatdev/leat/internal/models/fanout"
	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// TaskEmbeddings turns texts into vectors.
const TaskEmbeddings = "embeddings"

// maxTexts is how many texts the API takes in one request.
const maxTexts = 2048

// Config declares one openai model.
type Config struct {
	// Config.URL is the API's base, with its version: https://api.openai.com/v1.
	// A key goes into Config.Headers as "authorization: Bearer ..."; the
	// environment's OPENAI_ variables are not read, as a key for one service
	// must not be sent to another.
	httpcall.Config
	// Task is what is asked of the model: embeddings.
	Task string
	// Model is its name, such as text-embedding-3-small or nomic-embed-text.
	Model string
	// Dimensions shortens the vectors, for models that can; 0 means their own length.
	Dimensions int
}

type model struct {
	caller *httpcall.Caller
	cfg    Config
	client openai.EmbeddingService
}

// New makes the model; it opens no connection. Its errors name the option that
// is wrong.
func New(cfg Config) (pipeline.Model, error) {
	switch {
	case cfg.Task != TaskEmbeddings:
		return nil, fmt.Errorf("task: %q is not known; use %s", cfg.Task, TaskEmbeddings)
	case cfg.Model == "":
		return nil, errors.New("model: is missing; give the name under which the server knows it")
	case cfg.Dimensions < 0:
		return nil, fmt.Errorf("dimensions: %d is negative; leave it out for the model's own", cfg.Dimensions)
	}
	caller, err := httpcall.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	options := []option.RequestOption{
		option.WithBaseURL(cfg.URL),
		option.WithHTTPClient(caller.HTTPClient()),
		option.WithMaxRetries(0), // the worker retries, and knows when it is no use
	}
	for name, values := range caller.Headers() {
		options = append(options, option.WithHeader(name, values[0]))
	}
	return &model{caller: caller.At(TaskEmbeddings), cfg: cfg, client: openai.NewEmbeddingService(options...)}, nil
}

func (m *model) Close() error { return m.caller.Close() }

// Predict asks for the vectors of all texts in one request, or as few as the
// API's limit allows. A result is {"embedding": [numbers], "model": its name}.
func (m *model) Predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	results := make([]pipeline.Result, len(inputs))
	texts := make([]string, len(inputs))
	var due []int
	for i, in := range inputs {
		text, err := textOf(in.Value)
		if err != nil {
			results[i].Err = &worker.Error{Class: worker.Poison, Stage: "call", Err: err}
			continue
		}
		texts[i] = text
		due = append(due, i)
	}
	chunks := slices.Collect(slices.Chunk(due, maxTexts))
	errs := make([]error, len(chunks))
	fanout.Each(len(chunks), m.caller.Concurrency(), func(i int) { errs[i] = m.embed(ctx, inputs, texts, chunks[i], results) })
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// textOf takes the text out of a record's value: the value itself, or what an
// object has under "text" or "input".
func textOf(value any) (string, error) {
	text, ok := value.(string)
	if object, is := value.(map[string]any); is {
		for _, name := range []string{"text", "input"} {
			if !ok {
				text, ok = object[name].(string)
			}
		}
	}
	if !ok {
		return "", errors.New(`an embedding is of text: the value must be one, or an object with a "text"; set the step's input, such as value.title`)
	}
	if text == "" {
		// The API refuses the whole request for it.
		return "", errors.New("the text is empty and has no embedding")
	}
	_, err := jsonvalue.Encode(text)
	return text, err
}

// embed fills the results of the due inputs. When the API says which text it
// refuses, that one gets the error and the rest is asked for again.
func (m *model) embed(ctx context.Context, inputs []pipeline.Input, texts []string, due []int, results []pipeline.Result) error {
	for len(due) > 0 {
		asked := make([]string, len(due))
		sent := make([]pipeline.Input, len(due))
		for j, i := range due {
			asked[j], sent[j] = texts[i], inputs[i]
		}
		values, err := m.request(ctx, asked, httpcall.RecordHeaders(sent))
		if err == nil {
			for j, i := range due {
				results[i].Value = values[j]
			}
			return nil
		}
		guilty := refusedText(err, len(due))
		if guilty < 0 {
			return err
		}
		results[due[guilty]].Err = err
		due = slices.Delete(slices.Clone(due), guilty, guilty+1)
	}
	return nil
}

// request makes one request and returns a result for each text, in order.
func (m *model) request(ctx context.Context, texts []string, headers http.Header) ([]any, error) {
	call, err := m.caller.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer call.End()
	params := openai.EmbeddingNewParams{Model: m.cfg.Model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts}}
	if m.cfg.Dimensions > 0 {
		params.Dimensions = openai.Int(int64(m.cfg.Dimensions))
	}
	var options []option.RequestOption
	for name, values := range headers {
		options = append(options, option.WithHeader(name, values[0]))
	}
	var answered *http.Response
	options = append(options, option.WithResponseInto(&answered))
	reply, err := m.client.New(call.Context, params, options...)
	if err != nil {
		return nil, m.failed(call, answered, err)
	}
	return m.results(reply, len(texts))
}

// results puts the vectors in the order of their indexes.
func (m *model) results(reply *openai.CreateEmbeddingResponse, n int) ([]any, error) {
	body := []byte(reply.RawJSON())
	if len(reply.Data) != n {
		return nil, m.caller.BadReply(fmt.Sprintf("%d embeddings for %d texts", len(reply.Data), n), body)
	}
	results := make([]any, n)
	for _, e := range reply.Data {
		switch {
		case !e.JSON.Index.Valid() || e.Index < 0 || e.Index >= int64(n) || results[e.Index] != nil:
			return nil, m.caller.BadReply(fmt.Sprintf("the indexes of %d embeddings are not 0 to %d", n, n-1), body)
		case len(e.Embedding) == 0:
			return nil, m.caller.BadReply("an embedding is empty", body)
		case m.cfg.Dimensions > 0 && len(e.Embedding) != m.cfg.Dimensions:
			// Every record would meet it.
			return nil, &worker.Error{Class: worker.Outage, Stage: "call", Err: fmt.Errorf(
				"model %s gives vectors of %d numbers, not the declared dimensions of %d; it cannot shorten them: leave dimensions out", m.cfg.Model, len(e.Embedding), m.cfg.Dimensions)}
		}
		vector := make([]any, len(e.Embedding))
		for i, x := range e.Embedding {
			vector[i] = x
		}
		results[e.Index] = map[string]any{"embedding": vector, "model": reply.Model}
	}
	return results, nil
}
