package support_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/internal/models/exec"
	"github.com/leatdev/leat/internal/models/gofunc"
	modelhttp "github.com/leatdev/leat/internal/models/http"
	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/v2"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// childVariable makes the test binary serve the tagger as a child process.
const childVariable = "LEAT_SUPPORT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	models, err := support.Open("")
	if err == nil {
		err = support.ServeExec(context.Background(), os.Stdin, os.Stdout, models.Tag)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func made(model pipeline.Model, err error) func(*testing.T) pipeline.Model {
	return func(t *testing.T) pipeline.Model {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := model.Close(); err != nil {
				t.Error(err)
			}
		})
		return model
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func tagged(t *testing.T, m *support.Models, text string) map[string]any {
	t.Helper()
	model := made(gofunc.New(gofunc.Config{Each: m.Tag}))(t)
	results, err := model.Predict(t.Context(), []pipeline.Input{{Value: map[string]any{"text": text}}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	return map[string]any{"text": text, "tags": results[0].Value.(map[string]any)["tags"]}
}

// Each model answers the same through its protocol as it does as a function,
// and a value of the wrong shape is that record's poison.
func TestProtocolsCarryTheModels(t *testing.T) {
	t.Parallel()
	m := open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	moodURL := serve(t, m.V2Handler())
	classURL := serve(t, support.HTTPHandler("/classify", m.Class(support.DefaultMaxChars))) + "/classify"
	moodInput := v2.Input{Name: "text", Datatype: "BYTES", Value: func(in pipeline.Input) (any, error) {
		object, _ := in.Value.(map[string]any)
		return object["text"], nil
	}}
	texts := []string{"My virtual card does not work!", "I love the kettle 😍 thank you", "where is my parcel?"}
	var plain, withTags []any
	for _, text := range texts {
		plain = append(plain, map[string]any{"text": text})
		withTags = append(withTags, tagged(t, m, text))
	}
	bad := map[string]any{"text": map[string]any{"oops": 1.0}}
	cases := map[string]struct {
		function support.Func
		model    func(*testing.T) pipeline.Model
		values   []any
	}{
		"tagger by exec": {m.Tag, made(exec.New(exec.Config{Name: "tagger", Command: []string{self}, Env: map[string]string{childVariable: "1"}})), plain},
		"mood by v2": {m.Mood, made(v2.New(v2.Config{Config: httpcall.Config{URL: moodURL},
			Model: "sentiment", Inputs: []v2.Input{moodInput}})), plain},
		"mood by v2, with a version": {m.Mood, made(v2.New(v2.Config{Config: httpcall.Config{URL: moodURL},
			Model: "sentiment", Version: "1", Inputs: []v2.Input{moodInput}})), plain},
		"class by http": {m.Class(support.DefaultMaxChars), made(modelhttp.New(modelhttp.Config{Config: httpcall.Config{URL: classURL}})), withTags},
		"class by http, lists": {m.Class(support.DefaultMaxChars), made(modelhttp.New(modelhttp.Config{
			Config: httpcall.Config{URL: classURL}, Shape: modelhttp.List})), withTags},
	}
	if python, err := osexec.LookPath("python3"); err == nil {
		c := cases["tagger by exec"]
		c.model = made(exec.New(exec.Config{Name: "tagger", Command: []string{python, "python/tagger.py"}}))
		cases["tagger by exec, in Python"] = c
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := c.model(t)
			var inputs []pipeline.Input
			for i, v := range c.values {
				inputs = append(inputs, pipeline.Input{ID: fmt.Sprint("id-", i), Value: v})
			}
			got, err := model.Predict(t.Context(), inputs)
			if err != nil {
				t.Fatal(err)
			}
			want, err := made(gofunc.New(gofunc.Config{Each: c.function}))(t).Predict(t.Context(), inputs)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) || got[0].Err != nil {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			results, err := model.Predict(t.Context(), []pipeline.Input{{ID: "bad", Value: bad}})
			if err == nil && len(results) == 1 {
				err = results[0].Err
			}
			if worker.ClassOf(err) != worker.Poison {
				t.Errorf("a text that is no string: %v, want poison", err)
			}
		})
	}
}

func TestV2HealthAndReadiness(t *testing.T) {
	t.Parallel()
	url := serve(t, open(t).V2Handler())
	for path, want := range map[string]int{
		"/v2": 200, "/v2/health/live": 200, "/v2/health/ready": 200, "/v2/models/sentiment": 200,
		"/v2/models/sentiment/ready": 200, "/v2/models/sentiment/versions/1/ready": 200,
		"/v2/models/other": 404, "/v2/models/sentiment/versions/2/ready": 404,
	} {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	m := open(t)
	mood := serve(t, m.V2Handler()) + "/v2/models/sentiment/infer"
	class := serve(t, support.HTTPHandler("/classify", m.Class(50))) + "/classify"
	for _, c := range []struct {
		url, body string
		want      int
	}{
		{class, `{"text":"hi","tags":[]}`, 200},
		{class, `[]`, 200},
		{class, `{`, 400},
		{class, `{"text":"hi"}`, 422},
		{class, `{"text":"` + strings.Repeat("é", 50) + `","tags":[]}`, 200},
		{class, `{"text":"` + strings.Repeat("é", 51) + `","tags":[]}`, 422},
		{class, `{"text":"hi","tags":[{"word":1}]}`, 422},
		{class, `"` + strings.Repeat("x", 17<<20) + `"`, 413},
		{mood, `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["hi"]}]}`, 200},
		{mood, `{"inputs":[{"name":"text","shape":[2,1],"datatype":"BYTES","data":[["hi"],["ho"]]}]}`, 200},
		{mood, `{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["hi"]}]}`, 400},
		{mood, `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":[1]}]}`, 400},
		{mood, `{"inputs":[{"name":"txt","shape":[1],"datatype":"BYTES","data":["hi"]}]}`, 400},
		{mood, `{"inputs":[]}`, 400},
		{mood, `nope`, 400},
	} {
		response, err := http.Post(c.url, "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.want || (c.want != 200) != strings.Contains(string(body), `"error"`) {
			t.Errorf("%.80s: %d %s %v, want %d", c.body, response.StatusCode, body, err, c.want)
		}
	}
}

func TestServeStops(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- support.Serve(ctx, ln, open(t).V2Handler()) }()
	response, err := http.Get("http://" + ln.Addr().String() + "/v2/health/ready")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the server still listens")
	}
}
