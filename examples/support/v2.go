package support

import (
	"fmt"
	"net/http"

	"github.com/leatdev/leat/examples/support/models/mood"
	"github.com/leatdev/leat/pipeline"
)

// V2Handler serves the model `sentiment` in the Open Inference Protocol over
// REST (https://github.com/kserve/open-inference-protocol, inference_rest.md):
// input text BYTES [n], outputs label BYTES [n] and score FP64 [n].
func (m *Models) V2Handler() http.Handler {
	const name, version = "sentiment", "1"
	mux := http.NewServeMux()
	fixed := func(path string, value any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, value) })
	}
	fixed("/v2", map[string]any{"name": "leat-support", "version": version, "extensions": []string{}})
	fixed("/v2/health/live", map[string]bool{"live": true})
	fixed("/v2/health/ready", map[string]bool{"ready": true})
	for _, path := range []string{"/v2/models/" + name, "/v2/models/" + name + "/versions/" + version} {
		fixed(path, map[string]any{"name": name, "versions": []string{version}, "platform": "leat-support",
			"inputs": []tensor{{Name: "text", Datatype: "BYTES", Shape: []int{-1}}},
			"outputs": []tensor{{Name: "label", Datatype: "BYTES", Shape: []int{-1}},
				{Name: "score", Datatype: "FP64", Shape: []int{-1}}}})
		fixed(path+"/ready", map[string]any{"name": name, "ready": true})
		mux.HandleFunc("POST "+path+"/infer", func(w http.ResponseWriter, r *http.Request) {
			m.infer(w, r, name, version)
		})
	}
	mux.HandleFunc("/v2/models/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("%s %s: this server has the model %s, version %s", r.Method, r.URL.Path, name, version))
	})
	return mux
}

// tensor is one named tensor of a request, a reply or a description.
type tensor struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     any    `json:"data,omitempty"`
}

func (m *Models) infer(w http.ResponseWriter, r *http.Request, name, version string) {
	var request struct {
		ID     string   `json:"id"`
		Inputs []tensor `json:"inputs"`
	}
	if !decode(w, r, &request) {
		return
	}
	texts, err := textsOf(request.Inputs)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	labels, scores := make([]string, len(texts)), make([]float64, len(texts))
	for i, t := range texts {
		result, err := m.Mood(r.Context(), pipeline.Input{Value: map[string]any{"text": t}})
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		labels[i], scores[i] = result.(mood.Mood).Label, result.(mood.Mood).Score
	}
	shape := []int{len(texts)}
	answer := map[string]any{"model_name": name, "model_version": version, "outputs": []tensor{
		{"label", shape, "BYTES", labels}, {"score", shape, "FP64", scores}}}
	if request.ID != "" {
		answer["id"] = request.ID
	}
	reply(w, http.StatusOK, answer)
}

// textsOf reads the input tensor: its shape is [n] or [n, 1].
func textsOf(inputs []tensor) ([]any, error) {
	if len(inputs) != 1 || inputs[0].Name != "text" || inputs[0].Datatype != "BYTES" {
		return nil, fmt.Errorf("inputs: send one tensor named text, of datatype BYTES")
	}
	in := inputs[0]
	data, ok := in.Data.([]any)
	if !ok {
		return nil, fmt.Errorf("inputs: text has no data: send a list of strings")
	}
	flat := make([]any, 0, len(data))
	for _, e := range data {
		if row, ok := e.([]any); ok {
			flat = append(flat, row...)
		} else {
			flat = append(flat, e)
		}
	}
	if len(in.Shape) == 0 || len(in.Shape) > 2 || len(in.Shape) == 2 && in.Shape[1] != 1 || in.Shape[0] != len(flat) || len(flat) == 0 {
		return nil, fmt.Errorf("inputs: text has the shape %v and %d elements: send [n] or [n, 1] with n elements, n at least 1", in.Shape, len(flat))
	}
	for i, e := range flat {
		if _, ok := e.(string); !ok {
			return nil, fmt.Errorf("inputs: element %d of text is %s: send strings", i, kindOf(e))
		}
	}
	return flat, nil
}
