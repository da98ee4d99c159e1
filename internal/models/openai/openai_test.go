package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/modeltest"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

const secret = "sk-openai-secret"

type ask struct {
	Model      string   `json:"model"`
	Input      []string `json:"input"`
	Dimensions *int     `json:"dimensions"`
}

// server has OpenAI's embeddings API and does what the suite's texts say.
type server struct {
	mu       sync.Mutex
	ids      []string
	requests int
}

func embeddings(texts []string) map[string]any {
	data := []any{}
	for i, text := range texts {
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": modeltest.Vector(text)})
	}
	slices.Reverse(data) // the order is that of the indexes, not that of the list
	return map[string]any{"object": "list", "model": "served-name", "data": data, "usage": map[string]any{"prompt_tokens": 1, "total_tokens": 1}}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q ask
	if r.Header.Get("Authorization") != "Bearer "+secret || r.URL.Path != "/v1/embeddings" || json.NewDecoder(r.Body).Decode(&q) != nil || q.Model != "tiny" || q.Dimensions != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.mu.Lock()
	s.ids = append(s.ids, strings.ReplaceAll(r.Header.Get(httpcall.HeaderEventID), "%C3%A9", "é"))
	s.requests++
	s.mu.Unlock()
	o := modeltest.Worst(q.Input)
	if modeltest.Obey(w, r, o) {
		return
	}
	texts := q.Input
	switch o.Kind {
	case modeltest.Short:
		texts = texts[1:]
	case modeltest.Extra:
		texts = append(texts, "one more")
	}
	_ = json.NewEncoder(w).Encode(embeddings(texts))
}

func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func newModel(t *testing.T, h http.Handler, cfg Config) pipeline.Model {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg.URL, cfg.Task, cfg.Model = s.URL+"/v1", TaskEmbeddings, "tiny"
	cfg.Headers = map[string]string{"authorization": "Bearer " + secret}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func want(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	var vector []any
	for _, x := range modeltest.Vector(text) {
		vector = append(vector, x)
	}
	return map[string]any{"embedding": vector, "model": "served-name"}
}

func TestSuite(t *testing.T) {
	modeltest.Run(t, func(t *testing.T) modeltest.Subject {
		s := &server{}
		impatient := Config{}
		impatient.Timeout = 30 * time.Millisecond
		return modeltest.Subject{Model: newModel(t, s, Config{}), Impatient: newModel(t, s, impatient), Want: want, Whole: true, IDs: s.seen, Secrets: []string{secret},
			Cannot: map[string]string{
				string(modeltest.Null): "an embedding is a vector",
				modeltest.CheckValues:  "an embedding is of text",
				modeltest.CheckEmpty:   "an empty text has no embedding: TestWhatIsNoText",
			}}
	})
}

func inputs(values ...any) []pipeline.Input {
	var in []pipeline.Input
	for i, v := range values {
		in = append(in, pipeline.Input{ID: fmt.Sprint(i), IdempotencyKey: fmt.Sprint("k", i), Value: v})
	}
	return in
}

func TestConfigErrors(t *testing.T) {
	url := httpcall.Config{URL: "http://h/v1"}
	for want, cfg := range map[string]Config{
		"task:":       {Config: url, Model: "m", Task: "chat"},
		"model:":      {Config: url, Task: TaskEmbeddings},
		"dimensions:": {Config: url, Model: "m", Task: TaskEmbeddings, Dimensions: -1},
		"url:":        {Model: "m", Task: TaskEmbeddings},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want an error that says %q", err, want)
		}
	}
}

func TestTheEnvironmentsKeyIsNotSent(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-from-environment")
	t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
	var auth []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = append(auth, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(embeddings([]string{"x"}))
	}))
	t.Cleanup(s.Close)
	m, err := New(Config{Config: httpcall.Config{URL: s.URL}, Task: TaskEmbeddings, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Predict(t.Context(), inputs("x")); err != nil || !slices.Equal(auth, []string{""}) {
		t.Errorf("authorization %q, error %v", auth, err)
	}
}

func TestTheRequestAndItsHeaders(t *testing.T) {
	var body string
	var header http.Header
	m := newModel(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, header = string(b), r.Header
		w.WriteHeader(500)
	}), Config{Dimensions: 3})
	defer m.Close()
	_, _ = m.Predict(t.Context(), inputs("x", map[string]any{"text": "y"}))
	if body != `{"input":["x","y"],"model":"tiny","dimensions":3}` {
		t.Errorf("body %s", body)
	}
	if len(header.Get("Idempotency-Key")) != 32 || header.Get("Authorization") != "Bearer "+secret {
		t.Errorf("headers %v", header)
	}
}

func TestWhatIsNoText(t *testing.T) {
	s := &server{}
	m := newModel(t, s, Config{})
	defer m.Close()
	in := inputs("a", "", nil, 1.0, map[string]any{"body": "b"}, map[string]any{"text": 1.0}, "bad \xff", map[string]any{"text": "c", "input": "not this"}, map[string]any{"input": "d"})
	results, err := m.Predict(t.Context(), in)
	if err != nil || s.requests != 1 {
		t.Fatalf("%d requests, error %v", s.requests, err)
	}
	for i, text := range map[int]string{0: "a", 7: "c", 8: "d"} {
		if got, want := fmt.Sprint(results[i].Value), fmt.Sprint(want(text)); got != want || results[i].Err != nil {
			t.Errorf("result %d is %s, %v; want %s", i, got, results[i].Err, want)
		}
	}
	for i := 1; i < 7; i++ {
		if worker.ClassOf(results[i].Err) != worker.Poison {
			t.Errorf("result %d: %v, want a poison error", i, results[i])
		}
	}
}

func TestMoreTextsThanOneRequestTakes(t *testing.T) {
	s := &server{}
	m := newModel(t, s, Config{})
	defer m.Close()
	var values []any
	for i := range 2*maxTexts + 5 {
		values = append(values, fmt.Sprint("text ", i))
	}
	results, err := m.Predict(t.Context(), inputs(values...))
	if err != nil || s.requests != 3 {
		t.Fatalf("%d requests, error %v; want 3", s.requests, err)
	}
	for i, r := range results {
		if got := r.Value.(map[string]any)["embedding"].([]any)[2]; got != modeltest.Vector(values[i].(string))[2] {
			t.Fatalf("result %d is another text's", i)
		}
	}
}

func TestErrorsByCode(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		body   string
		class  worker.Class
		wait   time.Duration
		says   string
	}{
		{429, "", `{"error":{"message":"You exceeded your quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, worker.Outage, 0, "insufficient_quota: You exceeded"},
		{429, "X-Ratelimit-Remaining-Tokens: 0\nX-Ratelimit-Reset-Tokens: 6m0s\nX-Ratelimit-Remaining-Requests: 5\nX-Ratelimit-Reset-Requests: 24h", `{"error":{"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, worker.Retriable, 6 * time.Minute, "slow down"},
		{429, "Retry-After: 2\nX-Ratelimit-Remaining-Tokens: 0\nX-Ratelimit-Reset-Tokens: 6m0s", `{}`, worker.Retriable, 2 * time.Second, "429"},
		{429, "Retry-After-Ms: 250", `not JSON`, worker.Retriable, 250 * time.Millisecond, "not JSON"},
		{401, "", `{"error":{"message":"Incorrect API key provided: ` + secret + `","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, worker.Outage, 0, "[redacted]"},
		{400, "", `{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, worker.Outage, 0, "no such model"},
		{400, "", `{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","param":null,"code":null}}`, worker.Poison, 0, "maximum context"},
		{404, "", `{"error":"model \"tiny\" not found, try pulling it first"}`, worker.Outage, 0, "try pulling"},
		{409, "", `{"error":{"message":"conflict"}}`, worker.Retriable, 0, "conflict"},
		{529, "", `overloaded`, worker.Retriable, 0, "overloaded"},
		{302, "Location: /login?t=" + secret, ``, worker.Outage, 0, "/login"},
		{200, "", `{"object":"list","data":[]}`, worker.Retriable, 0, "0 embeddings for 1 texts"},
		{200, "", `{"data":[{"index":0,"embedding":[]}]}`, worker.Retriable, 0, "empty"},
		{200, "", `{"data":[{"index":1,"embedding":[1]}]}`, worker.Retriable, 0, "indexes"},
		{200, "", `{"data":[{"embedding":[1]}]}`, worker.Retriable, 0, "indexes"},
	} {
		requests := 0
		m := newModel(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("Content-Type", "application/json")
			for line := range strings.Lines(c.header) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				w.Header().Set(name, value)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}), Config{})
		_, err := m.Predict(t.Context(), inputs("x"))
		_ = m.Close()
		if worker.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%d %s: error %v, want class %s and %q", c.status, c.body, err, c.class, c.says)
		}
		var e *worker.Error
		if !errors.As(err, &e) || e.RetryAfter != c.wait || requests != 1 {
			t.Errorf("%d %s: wait %s after %d requests, want %s and 1", c.status, c.body, e.RetryAfter, requests, c.wait)
		}
	}
}

// When the API names the text that it refuses, the others come out.
func TestARefusedTextIsItsOwnWhenTheAPISaysWhich(t *testing.T) {
	for name, refusal := range map[string]string{
		"by param":   `{"error":{"message":"too long","type":"invalid_request_error","param":"input[%d]","code":"context_length_exceeded"}}`,
		"by message": `{"error":{"message":"Invalid 'input.%d': string too long","type":"invalid_request_error","param":null,"code":"string_above_max_length"}}`,
	} {
		requests := 0
		m := newModel(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			var q ask
			_ = json.NewDecoder(r.Body).Decode(&q)
			w.Header().Set("Content-Type", "application/json")
			if i := slices.IndexFunc(q.Input, func(s string) bool { return strings.HasPrefix(s, "long") }); i >= 0 {
				w.WriteHeader(400)
				fmt.Fprintf(w, refusal, i)
				return
			}
			_ = json.NewEncoder(w).Encode(embeddings(q.Input))
		}), Config{})
		values := []any{"a", "long 1", "b", "long 2", "c"}
		results, err := m.Predict(t.Context(), inputs(values...))
		_ = m.Close()
		if err != nil || requests != 3 {
			t.Fatalf("%s: %d requests, error %v; want 3", name, requests, err)
		}
		for i, v := range values {
			bad := i == 1 || i == 3
			if bad != (worker.ClassOf(results[i].Err) == worker.Poison) || !bad && fmt.Sprint(results[i].Value) != fmt.Sprint(want(v)) {
				t.Errorf("%s: result %d is %v", name, i, results[i])
			}
		}
	}
}

func TestDimensionsThatTheModelDoesNotHave(t *testing.T) {
	m := newModel(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(embeddings([]string{"x"}))
	}), Config{Dimensions: 4})
	defer m.Close()
	if _, err := m.Predict(t.Context(), inputs("x")); worker.ClassOf(err) != worker.Outage || !strings.Contains(err.Error(), "leave dimensions out") {
		t.Errorf("error %v", err)
	}
}

func TestAnIndexThatComesTwice(t *testing.T) {
	m := newModel(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":[{"index":1,"embedding":[1]},{"index":1,"embedding":[2]}]}`)
	}), Config{})
	defer m.Close()
	results, err := m.Predict(t.Context(), inputs("x", "y"))
	if worker.ClassOf(err) != worker.Retriable || !strings.Contains(err.Error(), "indexes") {
		t.Errorf("%v, %v", results, err)
	}
}
