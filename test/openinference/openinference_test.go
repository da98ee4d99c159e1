package openinference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/v2"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// server is MLServer under way.
type server struct {
	url   string
	calls string // file with a line per request
}

// start installs MLServer if need be and starts it. What is missing on this
// machine is a named skip, or a failure where LEAT_REQUIRE is set, as in CI.
var start = sync.OnceValues(func() (*server, error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return nil, fmt.Errorf("there is no python3")
	}
	install := exec.Command("./run.sh", "install")
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("MLServer cannot be installed: %w\n%s", err, out)
	}
	return &server{}, nil
})

// TestMain ends the server after the last test.
func TestMain(m *testing.M) {
	code := m.Run()
	if stop != nil {
		stop()
	}
	os.Exit(code)
}

var (
	stop    func()
	running *server
)

func mlserver(t *testing.T) *server {
	t.Helper()
	if _, err := start(); err != nil {
		if os.Getenv("LEAT_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skipf("not run: %v", err)
	}
	if running == nil {
		running = serve(t)
	}
	return running
}

func serve(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "leat-openinference")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{calls: filepath.Join(dir, "calls")}
	ports := freePorts(t, 2)
	s.url = "http://127.0.0.1:" + ports[0]
	var out bytes.Buffer
	cmd := exec.Command("./run.sh")
	cmd.Env = append(os.Environ(), "MLSERVER_HTTP_PORT="+ports[0], "MLSERVER_GRPC_PORT="+ports[1], "LEAT_TEST_CALLS="+s.calls)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it keeps nothing
		<-ended
		_ = os.RemoveAll(dir)
	}
	probe := newModel(t, s, v2.Config{Model: "texts"})
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		notReady := probe.Ready(t.Context())
		if notReady == nil {
			return s
		}
		if worker.ClassOf(notReady) != worker.Outage {
			t.Errorf("a server that is not ready is an outage, not %v", notReady)
		}
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("MLServer ended: %v\n%s", err, out.String())
		case <-deadline:
			stop()
			t.Fatalf("MLServer is not ready: %v\n%s", notReady, out.String())
		}
	}
}

func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

func newModel(t *testing.T, s *server, cfg v2.Config) *v2.Model {
	t.Helper()
	cfg.Config = httpcall.Config{URL: s.url, Timeout: 30 * time.Second}
	if cfg.Inputs == nil {
		cfg.Inputs = []v2.Input{{Name: "text", Datatype: "BYTES", Value: func(in pipeline.Input) (any, error) { return in.Value, nil }}}
	}
	m, err := v2.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.(*v2.Model)
}

type call struct {
	ID    string   `json:"id"`
	Shape []int    `json:"shape"`
	Texts []string `json:"texts"`
}

// seen returns the requests that the server noted while do ran.
func (s *server) seen(t *testing.T, do func()) []call {
	t.Helper()
	before, _ := os.ReadFile(s.calls)
	do()
	after, err := os.ReadFile(s.calls)
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	dec := json.NewDecoder(bytes.NewReader(after[len(before):]))
	for dec.More() {
		var c call
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	return calls
}

func inputs(texts ...string) []pipeline.Input {
	var in []pipeline.Input
	for i, text := range texts {
		in = append(in, pipeline.Input{ID: fmt.Sprintf("messages/0/%d", i), IdempotencyKey: fmt.Sprintf("messages/0/%d/mood", i), Value: text})
	}
	return in
}

func wantOf(text string, mood float64) map[string]any {
	return map[string]any{
		"length": float64(len(text)), "positive": mood > 0, "mood": []any{mood}, "upper": []any{strings.ToUpper(text)},
	}
}

func TestItIsMLServer(t *testing.T) {
	s := mlserver(t)
	resp, err := http.Get(s.url + "/v2")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), `"name":"mlserver"`) {
		t.Errorf("server metadata %s", body)
	}
}

func TestOneRecord(t *testing.T) {
	s := mlserver(t)
	for _, version := range []string{"", "3"} {
		m := newModel(t, s, v2.Config{Model: "texts", Version: version})
		text := "I love it, thanks! Grün, 世界 \"quoted\"\nnew line"
		var results []pipeline.Result
		var err error
		calls := s.seen(t, func() { results, err = m.Predict(t.Context(), inputs(text)) })
		if err != nil || len(results) != 1 {
			t.Fatalf("version %q: %v, %v", version, results, err)
		}
		if want := wantOf(text, 2); results[0].Err != nil || !reflect.DeepEqual(results[0].Value, any(want)) {
			t.Errorf("version %q: %v, %v; want %v", version, results[0].Value, results[0].Err, want)
		}
		if want := []call{{"messages/0/0", []int{1}, []string{text}}}; !reflect.DeepEqual(calls, want) {
			t.Errorf("the server was sent %+v, want %+v", calls, want)
		}
	}
}

func TestABatchIsOneRequest(t *testing.T) {
	s := mlserver(t)
	m := newModel(t, s, v2.Config{Model: "texts"})
	var texts []string
	for i := range 32 {
		texts = append(texts, strings.Repeat([]string{"good ", "bad ", ""}[i%3], i%5)+fmt.Sprint("#", i))
	}
	var results []pipeline.Result
	var err error
	calls := s.seen(t, func() { results, err = m.Predict(t.Context(), inputs(texts...)) })
	if err != nil || len(results) != 32 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, text := range texts {
		mood := float64([]int{1, -1, 0}[i%3] * (i % 5))
		if want := wantOf(text, mood); !reflect.DeepEqual(results[i].Value, any(want)) {
			t.Errorf("result %d is %v, %v; want %v", i, results[i].Value, results[i].Err, want)
		}
	}
	if want := []call{{"messages/0/0+31", []int{32}, texts}}; !reflect.DeepEqual(calls, want) {
		t.Errorf("the server was sent %+v, want one request with all texts", calls)
	}
}

func TestTwoInputs(t *testing.T) {
	s := mlserver(t)
	field := func(name string) func(pipeline.Input) (any, error) {
		return func(in pipeline.Input) (any, error) { return in.Value.(map[string]any)[name], nil }
	}
	m := newModel(t, s, v2.Config{Model: "texts", Inputs: []v2.Input{
		{Name: "text", Datatype: "BYTES", Shape: []int{1}, Value: field("text")},
		{Name: "weights", Datatype: "FP32", Value: field("weights")},
	}})
	in := inputs("", "")
	in[0].Value = map[string]any{"text": "a", "weights": []any{1.0, 2.5, -3.0}}
	in[1].Value = map[string]any{"text": "b", "weights": []any{4.0, 5.0, 6.0}}
	results, err := m.Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]any{{2.0, 5.0, -6.0}, {8.0, 10.0, 12.0}} {
		got, _ := results[i].Value.(map[string]any)
		if !reflect.DeepEqual(got["doubled"], any(want)) {
			t.Errorf("result %d is %v, want doubled %v", i, results[i], want)
		}
	}
}

func TestErrorsHaveTheirClass(t *testing.T) {
	s := mlserver(t)
	for name, c := range map[string]struct {
		model, version, text string
		class                worker.Class
		says                 string
		called               bool
	}{
		"refused by the model": {"texts", "", "!refuse", worker.Poison, "this text is refused", true},
		"crash of the model":   {"texts", "", "!crash", worker.Retriable, "the model crashed", true},
		"unknown model":        {"other", "", "x", worker.Outage, "not found", false},
		"unknown version":      {"texts", "9", "x", worker.Outage, "not found", false},
	} {
		m := newModel(t, s, v2.Config{Model: c.model, Version: c.version})
		var err error
		calls := s.seen(t, func() { _, err = m.Predict(t.Context(), inputs(c.text)) })
		if worker.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want class %s and %q", name, err, c.class, c.says)
		}
		if (len(calls) == 1) != c.called {
			t.Errorf("%s: the model was called %d times", name, len(calls))
		}
	}
	if err := newModel(t, s, v2.Config{Model: "other"}).Ready(t.Context()); worker.ClassOf(err) != worker.Outage {
		t.Errorf("a model that is not there is ready: %v", err)
	}
	wrong := newModel(t, s, v2.Config{Model: "texts", Inputs: []v2.Input{{Name: "another", Datatype: "INT32", Value: func(pipeline.Input) (any, error) { return 1, nil }}}})
	if _, err := wrong.Predict(t.Context(), inputs("x")); worker.ClassOf(err) != worker.Poison || !strings.Contains(err.Error(), "no input 'text'") {
		t.Errorf("a wrong signature: %v", err)
	}
}

// One bad text of 32 fails the request; halved, 31 come out.
func TestABatchWithABadTextCanBeSplit(t *testing.T) {
	s := mlserver(t)
	m := newModel(t, s, v2.Config{Model: "texts"})
	for bad, class := range map[string]worker.Class{"!refuse": worker.Poison, "!crash": worker.Retriable} {
		texts := make([]string, 32)
		for i := range texts {
			texts[i] = fmt.Sprint("text ", i)
		}
		texts[13] = bad
		var settle func(in []pipeline.Input) []pipeline.Result
		settle = func(in []pipeline.Input) []pipeline.Result {
			results, err := m.Predict(t.Context(), in)
			if err == nil {
				return results
			}
			if len(in) == 1 {
				return []pipeline.Result{{Err: err}}
			}
			return append(settle(in[:len(in)/2]), settle(in[len(in)/2:])...)
		}
		for i, r := range settle(inputs(texts...)) {
			if i == 13 {
				if worker.ClassOf(r.Err) != class {
					t.Errorf("the bad text: %v, want class %s", r.Err, class)
				}
			} else if r.Err != nil || !reflect.DeepEqual(r.Value, any(wantOf(texts[i], 0))) {
				t.Errorf("text %d: %v, %v", i, r.Value, r.Err)
			}
		}
	}
}
