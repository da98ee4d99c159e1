package v2

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
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

const secret = "v2-model-secret"

// server is an Open Inference server of one model, "texts", whose outputs are
// the text and its length.
type server struct {
	mu  sync.Mutex
	ids []string
}

type tensor struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
	Data     []any  `json:"data"`
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		ID     string   `json:"id"`
		Inputs []tensor `json:"inputs"`
	}
	if r.Header.Get("Authorization") != "Bearer "+secret || r.Method != http.MethodPost || r.URL.Path != "/v2/models/texts/versions/3/infer" ||
		json.NewDecoder(r.Body).Decode(&req) != nil || len(req.Inputs) != 1 || req.Inputs[0].Name != "text" || req.Inputs[0].Datatype != "BYTES" ||
		!slices.Equal(req.Inputs[0].Shape, []int{len(req.Inputs[0].Data)}) {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.mu.Lock()
	s.ids = append(s.ids, req.ID)
	s.mu.Unlock()
	var texts []string
	for _, e := range req.Inputs[0].Data {
		texts = append(texts, e.(string))
	}
	o := modeltest.Worst(texts)
	if modeltest.Obey(w, r, o) {
		return
	}
	switch o.Kind {
	case modeltest.Short:
		texts = texts[1:]
	case modeltest.Extra:
		texts = append(texts, "one more")
	}
	out := []tensor{{Name: "text", Datatype: "BYTES"}, {Name: "length", Datatype: "INT64"}}
	for i := range out {
		out[i].Shape, out[i].Data = []int{len(texts)}, []any{}
		for _, text := range texts {
			out[i].Data = append(out[i].Data, modeltest.AnswerTo(text).(map[string]any)[out[i].Name])
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"model_name": "texts", "id": req.ID, "outputs": out})
}

func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func value(in pipeline.Input) (any, error) { return in.Value, nil }

func TestSuite(t *testing.T) {
	modeltest.Run(t, func(t *testing.T) modeltest.Subject {
		s := &server{}
		h := httptest.NewServer(s)
		t.Cleanup(h.Close)
		model := func(timeout time.Duration) pipeline.Model {
			m, err := New(Config{Model: "texts", Version: "3", Inputs: []Input{{Name: "text", Datatype: "BYTES", Value: value}},
				Config: httpcall.Config{URL: h.URL, Timeout: timeout, Headers: map[string]string{"authorization": "Bearer " + secret}}})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		return modeltest.Subject{Model: model(0), Impatient: model(30 * time.Millisecond), Whole: true, IDs: s.seen, Secrets: []string{secret},
			Cannot: map[string]string{
				string(modeltest.Null): "tensors have no null",
				modeltest.CheckValues:  "a tensor has one datatype",
			}}
	})
}

// exchange makes a model whose server answers one call with reply and notes
// the request.
func exchange(t *testing.T, cfg Config, reply string) (pipeline.Model, *[]string) {
	t.Helper()
	var requests []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		requests = append(requests, r.URL.EscapedPath()+" "+string(b))
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(h.Close)
	cfg.URL = h.URL + cfg.URL
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, &requests
}

func inputs(values ...any) []pipeline.Input {
	var in []pipeline.Input
	for i, v := range values {
		in = append(in, pipeline.Input{ID: string(rune('a' + i)), Value: v})
	}
	return in
}

func field(name string) func(pipeline.Input) (any, error) {
	return func(in pipeline.Input) (any, error) { return in.Value.(map[string]any)[name], nil }
}

// The bodies on the wire, byte for byte, as docs/models.md shows them.
func TestRequests(t *testing.T) {
	two := []Input{{Name: "text", Datatype: "BYTES", Value: field("text")}, {Name: "n", Datatype: "INT32", Shape: []int{1}, Value: field("n")}}
	for _, c := range []struct {
		name string
		cfg  Config
		in   []pipeline.Input
		want string
		docs bool // the body is shown there
	}{
		{"one record", Config{Model: "m", Inputs: two}, inputs(map[string]any{"text": "a<b", "n": 3.0}),
			`/v2/models/m/infer {"id":"a","inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a<b"]},{"name":"n","datatype":"INT32","shape":[1,1],"data":[3]}]}`, true},
		{"two records", Config{Model: "m", Inputs: two}, inputs(map[string]any{"text": "x", "n": 1}, map[string]any{"text": "y", "n": 2}),
			`/v2/models/m/infer {"id":"a+1","inputs":[{"name":"text","datatype":"BYTES","shape":[2],"data":["x","y"]},{"name":"n","datatype":"INT32","shape":[2,1],"data":[1,2]}]}`, true},
		{"names, version, parameters, url with /v2", Config{Config: httpcall.Config{URL: "/pre/v2/"}, Model: "team/m", Version: "1.0", Parameters: map[string]any{"k": true},
			Inputs: []Input{{Name: "v", Datatype: "FP32", Value: value}}}, inputs([]any{[]any{1.0, 2.5}, []any{-3.0, 1e-9}}),
			`/pre/v2/models/team%2Fm/versions/1.0/infer {"id":"a","parameters":{"k":true},"inputs":[{"name":"v","datatype":"FP32","shape":[1,2,2],"data":[1,2.5,-3,1e-09]}]}`, false},
	} {
		m, requests := exchange(t, c.cfg, `{}`)
		_, _ = m.Predict(t.Context(), c.in)
		if c.docs {
			_, body, _ := strings.Cut(c.want, " ")
			modeltest.InDocs(t, body)
		}
		if len(*requests) != 1 || (*requests)[0] != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, *requests, c.want)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		reply string
		n     int
		want  []any // nil: an error that says
		says  string
	}{
		{`{"outputs":[{"name":"o","datatype":"FP32","shape":[2],"data":[1,2.5]}]}`, 2, []any{1.0, 2.5}, ""},
		{`{"outputs":[{"name":"o","shape":[2,1],"data":["x","y"]}]}`, 2, []any{[]any{"x"}, []any{"y"}}, ""},
		{`{"outputs":[{"name":"o","shape":[2,2],"data":[[1,2],[3,4]]}]}`, 2, []any{[]any{1.0, 2.0}, []any{3.0, 4.0}}, ""},
		{`{"outputs":[{"name":"o","shape":[1,2,2],"data":[1,2,3,4]}]}`, 1, []any{[]any{[]any{1.0, 2.0}, []any{3.0, 4.0}}}, ""},
		{`{"outputs":[{"name":"o","shape":[2,0],"data":[]}]}`, 2, []any{[]any{}, []any{}}, ""},
		{`{"id":"","outputs":[{"name":"b","shape":[2],"data":[true,false]},{"name":"s","shape":[2],"data":["x","y"]}]}`, 2,
			[]any{map[string]any{"b": true, "s": "x"}, map[string]any{"b": false, "s": "y"}}, ""},
		{`{"outputs":[]}`, 1, nil, "no outputs"},
		{`{"error":"boom"}`, 1, nil, "boom"},
		{`[]`, 1, nil, "Open Inference"},
		{`{"id":"zzz","outputs":[{"name":"o","shape":[1],"data":[1]}]}`, 1, nil, "answer to another"},
		{`{"outputs":[{"name":"o","shape":[1],"data":[1]}]}`, 2, nil, "first dimension"},
		{`{"outputs":[{"name":"o","shape":[],"data":[1]}]}`, 1, nil, "first dimension"},
		{`{"outputs":[{"name":"o","shape":[2],"data":[1]}]}`, 2, nil, "does not fit"},
		{`{"outputs":[{"name":"o","shape":[2],"data":[1,2,3]}]}`, 2, nil, "does not fit"},
		{`{"outputs":[{"name":"o","shape":[1,-1],"data":[1]}]}`, 1, nil, "shape"},
		{`{"outputs":[{"name":"o","shape":[1,1099511627776,1099511627776,1099511627776],"data":[]}]}`, 1, nil, "shape"},
		{`{"outputs":[{"name":"o","shape":[1,1099511627776,0],"data":[]}]}`, 1, nil, "shape"},
		{`{"outputs":[{"name":"o","shape":[1]}]}`, 1, nil, "no data"},
		{`{"outputs":[{"name":"o","shape":[1],"data":5}]}`, 1, nil, "not a list"},
		{`{"outputs":[{"name":"o","shape":[1],"data":[1]},{"name":"o","shape":[1],"data":[1]}]}`, 1, nil, "twice"},
	} {
		m, _ := exchange(t, Config{Model: "m", Inputs: []Input{{Name: "v", Datatype: "FP32", Value: value}}}, c.reply)
		results, err := m.Predict(t.Context(), inputs([]any{1.0, 2.0}[:c.n]...))
		if c.want == nil {
			if worker.ClassOf(err) != worker.Retriable || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, %v; want a retriable error that says %q", c.reply, results, err, c.says)
			}
			continue
		}
		var got []any
		for _, r := range results {
			got = append(got, r.Value)
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.reply, got, err, c.want)
		}
	}
}

func TestDatatypes(t *testing.T) {
	good := []struct {
		datatype string
		shape    []int
		value    any
		data     string
		is       []int
	}{
		{"INT64", nil, int64(9007199254740993), "9007199254740993", nil},
		{"UINT64", nil, uint64(18446744073709549568), "18446744073709549568", nil},
		{"INT8", nil, []int{-128, 127}, "-128,127", []int{2}},
		{"UINT8", nil, []byte{1, 255}, "1,255", []int{2}},
		{"BYTES", nil, []byte("text"), `"text"`, nil},
		{"BYTES", nil, []any{"x", ""}, `"x",""`, []int{2}},
		{"BOOL", nil, []bool{true, false}, "true,false", []int{2}},
		{"FP64", nil, 1e300, "1e+300", nil},
		{"FP32", []int{2, 2}, []float64{1, 2, 3, 4}, "1,2,3,4", []int{2, 2}},
		{"FP32", []int{2, -1}, []any{1, 2, 3, 4, 5, 6}, "1,2,3,4,5,6", []int{2, 3}},
		{"FP32", []int{1}, 1.5, "1.5", []int{1}},
		{"INT64", nil, 1e18, "1000000000000000000", nil},
	}
	for _, c := range good {
		in := Input{Name: "x", Datatype: c.datatype, Shape: c.shape, Value: value}
		f, err := in.flatten(c.value)
		if err != nil || string(f.data) != c.data || !slices.Equal(f.shape, c.is) {
			t.Errorf("%s %v: %s %v, %v; want %s %v", c.datatype, c.value, f.data, f.shape, err, c.data, c.is)
		}
	}
	bad := []struct {
		datatype string
		shape    []int
		value    any
		says     string
	}{
		{"INT32", nil, 1.5, "whole"}, {"INT8", nil, 128.0, "range"}, {"UINT8", nil, -1, "range"}, {"INT64", nil, 9223372036854775808.0, "range"},
		{"FP16", nil, 65505.0, "range"}, {"FP32", nil, 1e39, "range"}, {"INT32", nil, "1", "not text"}, {"FP32", nil, nil, "null"},
		{"FP32", nil, map[string]any{}, "an object"}, {"BOOL", nil, 1.0, "a number"}, {"BYTES", nil, 1.0, "string("}, {"BYTES", nil, nil, "null"},
		{"BYTES", nil, "a\xff", "UTF-8"}, {"FP32", nil, []any{[]any{1.0}, []any{1.0, 2.0}}, "rectangular"}, {"FP32", nil, []any{1.0, []any{2.0}}, "rectangular"},
		{"FP32", nil, []any{[]any{1.0}, 2.0}, "rectangular"}, {"FP32", []int{3}, []any{1.0}, "fit"}, {"FP32", []int{2, -1}, []any{1, 2, 3}, "fit"},
	}
	for _, c := range bad {
		in := Input{Name: "x", Datatype: c.datatype, Shape: c.shape, Value: value}
		if f, err := in.flatten(c.value); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %v: %s, %v; want an error that says %q", c.datatype, c.value, f.data, err, c.says)
		}
	}
}

// Rows of different shapes cannot share a tensor: they go in several requests
// and each result finds its record.
func TestRaggedRowsGoInSeveralRequests(t *testing.T) {
	var shapes [][]int
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct{ Inputs []tensor }
		_ = json.NewDecoder(r.Body).Decode(&req)
		in := req.Inputs[0]
		shapes = append(shapes, in.Shape)
		if in.Shape[1] == 3 {
			w.WriteHeader(422)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"outputs": []tensor{{Name: "same", Shape: in.Shape, Data: in.Data}}})
	}))
	t.Cleanup(h.Close)
	m, err := New(Config{Model: "m", Config: httpcall.Config{URL: h.URL}, Inputs: []Input{{Name: "v", Datatype: "FP32", Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	one, two, three := []any{1.0}, []any{2.0, 3.0}, []any{1.0, 2.0, 3.0}
	results, err := m.Predict(t.Context(), inputs(one, two, "no number", []any{4.0}, three))
	if err != nil || !reflect.DeepEqual(shapes, [][]int{{2, 1}, {1, 2}, {1, 3}}) {
		t.Fatalf("requests of shapes %v, error %v", shapes, err)
	}
	for i, want := range []any{one, two, nil, []any{4.0}, nil} {
		if !reflect.DeepEqual(results[i].Value, want) {
			t.Errorf("result %d is %v, want %v", i, results[i].Value, want)
		}
	}
	for _, i := range []int{2, 4} {
		if worker.ClassOf(results[i].Err) != worker.Poison {
			t.Errorf("result %d: %v, want its own poison error", i, results[i].Err)
		}
	}
	// A request of several rows that fails takes the call along, to be split.
	if _, err := m.Predict(t.Context(), inputs(one, three, three)); worker.ClassOf(err) != worker.Poison {
		t.Errorf("two rows of a refused request: %v", err)
	}
}

func TestReady(t *testing.T) {
	missing := ""
	var asked []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.URL.Path == missing {
			w.WriteHeader(400)
		}
	}))
	t.Cleanup(h.Close)
	m, err := New(Config{Model: "m", Config: httpcall.Config{URL: h.URL}, Inputs: []Input{{Name: "v", Datatype: "FP32", Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	probe := m.(*Model)
	if err := probe.Ready(t.Context()); err != nil || !slices.Equal(asked, []string{"GET /v2/health/ready", "GET /v2/models/m/ready"}) {
		t.Errorf("Ready: %v after %q", err, asked)
	}
	for _, missing = range []string{"/v2/health/ready", "/v2/models/m/ready"} {
		if err := probe.Ready(t.Context()); worker.ClassOf(err) != worker.Outage || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v, want an outage", missing, err)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	in := Input{Name: "x", Datatype: "FP32", Value: value}
	with := func(change func(*Input)) []Input { i := in; change(&i); return []Input{i} }
	url := httpcall.Config{URL: "http://h"}
	for want, cfg := range map[string]Config{
		"model:":          {Config: url, Inputs: []Input{in}},
		`model: ".."`:     {Config: url, Model: "..", Inputs: []Input{in}},
		"version:":        {Config: url, Model: "m", Version: "..", Inputs: []Input{in}},
		"at least one":    {Config: url, Model: "m"},
		"no name":         {Config: url, Model: "m", Inputs: with(func(i *Input) { i.Name = "" })},
		`datatype "FLOAT`: {Config: url, Model: "m", Inputs: with(func(i *Input) { i.Datatype = "FLOAT" })},
		"no value":        {Config: url, Model: "m", Inputs: with(func(i *Input) { i.Value = nil })},
		"1 and more":      {Config: url, Model: "m", Inputs: with(func(i *Input) { i.Shape = []int{0} })},
		"only one":        {Config: url, Model: "m", Inputs: with(func(i *Input) { i.Shape = []int{-1, -1} })},
		"twice":           {Config: url, Model: "m", Inputs: []Input{in, in}},
		"parameters:":     {Config: url, Model: "m", Inputs: []Input{in}, Parameters: map[string]any{"k": []any{}}},
		"url:":            {Model: "m", Inputs: []Input{in}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want an error that says %q", err, want)
		}
	}
}

func TestAnExtractorsErrorIsItsRecords(t *testing.T) {
	m, _ := exchange(t, Config{Model: "m", Inputs: []Input{{Name: "v", Datatype: "FP32", Value: func(in pipeline.Input) (any, error) {
		if in.ID == "b" {
			return nil, worker.NewError(worker.Fatal, io.ErrUnexpectedEOF)
		}
		if in.ID == "c" {
			return nil, io.ErrUnexpectedEOF
		}
		return 1.0, nil
	}}}}, `{"outputs":[{"name":"o","shape":[1],"data":[1]}]}`)
	results, err := m.Predict(t.Context(), inputs(1, 1, 1))
	if err != nil || results[0].Value != 1.0 {
		t.Fatalf("%v, %v", results, err)
	}
	if worker.ClassOf(results[1].Err) != worker.Fatal || worker.ClassOf(results[2].Err) != worker.Poison || !strings.Contains(results[2].Err.Error(), "input v") {
		t.Errorf("%v", results)
	}
}
