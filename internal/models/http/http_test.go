package http

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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

const secret = "http-model-secret"

// server is a backend of one shape that does what the suite's texts say.
type server struct {
	shape Shape
	mu    sync.Mutex
	ids   []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer "+secret || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "not as declared", http.StatusTeapot)
		return
	}
	id, err := url.PathUnescape(r.Header.Get(httpcall.HeaderEventID))
	if err != nil {
		http.Error(w, "bad id", http.StatusTeapot)
		return
	}
	s.mu.Lock()
	s.ids = append(s.ids, id)
	s.mu.Unlock()
	var body any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	values := []any{body}
	switch s.shape {
	case List:
		values = body.([]any)
	case V1:
		values = body.(map[string]any)["instances"].([]any)
	}
	var texts []string
	var answers []any
	for _, v := range values {
		text, _ := v.(string)
		texts = append(texts, text)
		if modeltest.Read(text).Kind == modeltest.Null {
			v = nil
		}
		answers = append(answers, modeltest.AnswerTo(v))
	}
	o := modeltest.Worst(texts)
	if modeltest.Obey(w, r, o) {
		return
	}
	switch o.Kind {
	case modeltest.Short:
		answers = answers[1:]
	case modeltest.Extra:
		answers = append(answers, "one more")
	}
	var reply any = answers
	switch s.shape {
	case Single:
		if len(answers) == 0 {
			return // a reply without a body
		}
		if len(answers) > 1 {
			for _, a := range answers {
				_ = json.NewEncoder(w).Encode(a)
			}
			return
		}
		reply = answers[0]
	case V1:
		reply = map[string]any{"predictions": answers}
	}
	_ = json.NewEncoder(w).Encode(reply)
}

func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func open(t *testing.T, shape Shape) modeltest.Subject {
	s := &server{shape: shape}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	model := func(timeout time.Duration) pipeline.Model {
		m, err := New(Config{Shape: shape, Config: httpcall.Config{URL: h.URL + "/predict", Timeout: timeout,
			Headers: map[string]string{"authorization": "Bearer " + secret}}})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	return modeltest.Subject{Model: model(0), Impatient: model(30 * time.Millisecond), Whole: shape != Single, IDs: s.seen, Secrets: []string{secret}}
}

func TestSuite(t *testing.T) {
	for _, shape := range []Shape{Single, List, V1} {
		t.Run(string(shape), func(t *testing.T) {
			modeltest.Run(t, func(t *testing.T) modeltest.Subject { return open(t, shape) })
		})
	}
}

func newModel(t *testing.T, cfg Config, handler http.HandlerFunc) pipeline.Model {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	cfg.URL = s.URL
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func inputs(values ...any) []pipeline.Input {
	var in []pipeline.Input
	for i, v := range values {
		in = append(in, pipeline.Input{ID: fmt.Sprint(i), IdempotencyKey: fmt.Sprint("k", i), Value: v})
	}
	return in
}

func TestConfigErrors(t *testing.T) {
	for want, cfg := range map[string]Config{
		`shape: "rows"`: {Shape: "rows", Config: httpcall.Config{URL: "http://h"}},
		"url:":          {},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want an error that says %q", err, want)
		}
	}
}

// The bodies on the wire, byte for byte, as docs/models.md shows them.
func TestBodies(t *testing.T) {
	for shape, want := range map[Shape]string{
		Single: `{"text":"a<b"}`,
		List:   `[{"text":"a<b"}]`,
		V1:     `{"instances":[{"text":"a<b"}]}`,
	} {
		var got, key string
		m := newModel(t, Config{Shape: shape}, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got, key = string(b), r.Header.Get("Idempotency-Key")
			w.WriteHeader(500)
		})
		_, _ = m.Predict(t.Context(), inputs(map[string]any{"text": "a<b"}))
		modeltest.InDocs(t, want)
		if got != want || key != "k0" {
			t.Errorf("shape %s: body %s with key %q, want %s with k0", shape, got, key, want)
		}
	}
}

func TestSingleCallsInParallelUpToConcurrency(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	m := newModel(t, Config{Config: httpcall.Config{Concurrency: 3}}, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "1")
	})
	done := make(chan []pipeline.Result)
	for range 2 { // two calls share the three places
		go func() {
			results, _ := m.Predict(t.Context(), inputs(1.0, 2.0, 3.0, 4.0))
			done <- results
		}()
	}
	for range 3 {
		<-arrived // three calls are under way before any is answered
	}
	if n := len(arrived); n != 0 {
		t.Errorf("%d more calls than 3 at once", n)
	}
	close(release)
	for range 2 {
		for _, r := range <-done {
			if r.Err != nil || r.Value != 1.0 {
				t.Errorf("result %v, %v", r.Value, r.Err)
			}
		}
	}
}

func TestNoContentIsNullAndAnEmptyBodyIsNot(t *testing.T) {
	m := newModel(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) == "1" {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	results, err := m.Predict(t.Context(), inputs(1.0, 2.0))
	if err != nil || results[0].Err != nil || results[0].Value != nil {
		t.Errorf("204: %v, %v", results[0], err)
	}
	if worker.ClassOf(results[1].Err) != worker.Retriable {
		t.Errorf("empty 200: %v, want a retriable error", results[1])
	}
}

func TestAValueThatJSONCannotSayIsItsOwnError(t *testing.T) {
	for _, shape := range []Shape{Single, List, V1} {
		s := open(t, shape)
		in := inputs("a", "bad \xff", "b", "bad \xff too")
		results, err := s.Model.Predict(t.Context(), in)
		if err != nil {
			t.Fatalf("shape %s: %v", shape, err)
		}
		for i := range in {
			bad := i%2 == 1
			if bad != (worker.ClassOf(results[i].Err) == worker.Poison) || bad == (results[i].Value != nil) {
				t.Errorf("shape %s, record %d: %v", shape, i, results[i])
			}
		}
		// A call in which nothing is left to ask for is not made.
		before := len(s.IDs())
		if results, err := s.Model.Predict(t.Context(), in[1:2]); err != nil || results[0].Err == nil || len(s.IDs()) != before {
			t.Errorf("shape %s: %v, %v; the server was called %d times", shape, results, err, len(s.IDs())-before)
		}
		_, _ = s.Model.Close(), s.Impatient.Close()
	}
}

func TestAWrongLengthSaysSo(t *testing.T) {
	for shape, reply := range map[Shape]string{List: "[1]", V1: `{"predictions":[1]}`} {
		m := newModel(t, Config{Shape: shape}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, reply) })
		_, err := m.Predict(t.Context(), inputs("a", "b"))
		if worker.ClassOf(err) != worker.Retriable || !strings.Contains(err.Error(), "1 answers for 2 records") || !strings.Contains(err.Error(), reply) {
			t.Errorf("shape %s: %v", shape, err)
		}
	}
	m := newModel(t, Config{Shape: V1}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"error":"no such signature"}`)
	})
	if _, err := m.Predict(t.Context(), inputs("a")); err == nil || !strings.Contains(err.Error(), "no such signature") {
		t.Errorf("v1 error: %v", err)
	}
}
