package pipeline

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// modelKeys says which keys a model of a protocol has besides protocol,
// version, timeout and concurrency, and which of them it must have.
var modelKeys = map[Protocol]struct{ required, optional []string }{
	HTTP:   {required: []string{"url"}, optional: []string{"shape", "headers", "errors"}},
	V2:     {required: []string{"url", "model", "inputs"}, optional: []string{"headers", "errors"}},
	OpenAI: {required: []string{"url", "model", "task"}, optional: []string{"dimensions", "headers", "errors"}},
	Exec:   {required: []string{"command"}, optional: []string{"env", "dir", "processes"}},
	Go:     {optional: []string{"model"}},
}

func (r *reader) models(n *yaml.Node) []*ModelSpec {
	var out []*ModelSpec
	for _, e := range r.fields(n, "models") {
		if r.shortName(e.key, "a model") == "" {
			continue
		}
		out = append(out, r.model(e))
	}
	return out
}

func (r *reader) model(e entry) *ModelSpec {
	m := &ModelSpec{Pos: r.pos(e.key), Name: e.name}
	what := "model " + e.name
	places := map[string]*yaml.Node{}
	fields := r.fields(e.value, what)
	for _, f := range fields {
		places[f.name] = f.key
		if f.name == "protocol" {
			words := make([]string, len(Protocols))
			for i, p := range Protocols {
				words[i] = string(p)
			}
			m.Protocol = Protocol(r.oneOf(f.value, "protocol", words...))
		}
	}
	if _, ok := places["protocol"]; !ok && follow(e.value).Kind == yaml.MappingNode {
		r.addf(e.key, "%s has no `protocol`; known: http, v2, openai, exec, go", what)
	}
	readers := r.modelReaders(m)
	keys, known := modelKeys[m.Protocol]
	allowed := append([]string{"protocol", "version", "timeout", "concurrency"}, slices.Concat(keys.required, keys.optional)...)
	for _, f := range fields {
		read, exists := readers[f.name]
		switch {
		case f.name == "protocol":
		case !exists:
			r.addf(f.key, "unknown key %s in %s%s", quote(f.name), what, meant(f.name, allowed))
		case known && !slices.Contains(allowed, f.name):
			r.addf(f.key, "unused key %s in %s: protocol %s does not use it", quote(f.name), what, m.Protocol)
		default:
			read(f.value)
		}
	}
	for _, k := range keys.required {
		if _, ok := places[k]; !ok {
			r.addf(e.key, "%s has no %s, which protocol %s needs", what, quote(k), m.Protocol)
		}
	}
	if m.Processes > 0 && m.Concurrency > m.Processes {
		r.addf(places["concurrency"], "concurrency of %s is more than its %d processes, each of which does one call at a time", what, m.Processes)
	}
	return m
}

func (r *reader) modelReaders(m *ModelSpec) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"url": func(n *yaml.Node) {
			m.URL = r.secretText(n, "url")
			if u := m.URL.raw; u != "" && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "${env:") {
				r.addf(follow(n), "url must begin with http:// or https://")
			}
		},
		"headers": func(n *yaml.Node) { m.Headers = r.secretTexts(n, "header") },
		"model":   func(n *yaml.Node) { m.Model = r.plainText(n, "model") },
		"version": func(n *yaml.Node) {
			if n = follow(n); n.Tag == "!!int" || n.Tag == "!!float" {
				m.Version = n.Value // 3 and "3" are the same version
				return
			}
			m.Version = r.plainText(n, "version")
		},
		"task":        func(n *yaml.Node) { m.Task = r.oneOf(n, "task", "embeddings") },
		"dimensions":  func(n *yaml.Node) { m.Dimensions = int(r.integer(n, "dimensions", 1, 1<<20)) },
		"shape":       func(n *yaml.Node) { m.Shape = r.oneOf(n, "shape", "single", "list", "v1") },
		"inputs":      func(n *yaml.Node) { m.Inputs = r.tensors(n) },
		"command":     func(n *yaml.Node) { m.Command = r.command(n) },
		"env":         func(n *yaml.Node) { m.Env = r.secretTexts(n, "env") },
		"dir":         func(n *yaml.Node) { m.Dir = r.plainText(n, "dir") },
		"processes":   func(n *yaml.Node) { m.Processes = int(r.integer(n, "processes", 1, 1024)) },
		"timeout":     func(n *yaml.Node) { m.Timeout = r.positive(n, "timeout") },
		"concurrency": func(n *yaml.Node) { m.Concurrency = int(r.integer(n, "concurrency", 1, 1024)) },
		"errors":      func(n *yaml.Node) { m.Errors = r.errorSets(n) },
	}
}

func (r *reader) command(n *yaml.Node) []Text {
	n = follow(n)
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.addf(n, "command must be a list: the program and its arguments, [python3, model.py]")
		return nil
	}
	var out []Text
	for i, c := range n.Content {
		c = follow(c)
		switch {
		case i > 0 && c.Kind == yaml.ScalarNode && c.Tag != "!!str" && c.Tag != "!!null":
			out = append(out, Text{Pos: r.pos(c), raw: c.Value}) // a number as an argument is its text
		case i > 0 && c.Kind == yaml.ScalarNode && c.Tag == "!!str" && c.Value == "":
			out = append(out, Text{})
		default:
			out = append(out, r.secretText(c, "command"))
		}
	}
	return out
}

// datatypes are those of the Open Inference Protocol, v2.
var datatypes = []string{"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"}

func (r *reader) tensors(n *yaml.Node) map[string]*TensorSpec {
	out := map[string]*TensorSpec{}
	for _, e := range r.fields(n, "inputs") {
		t := &TensorSpec{Pos: r.pos(e.key)}
		r.keys(e.value, "input "+e.name, map[string]func(*yaml.Node){
			"datatype": func(n *yaml.Node) { t.Datatype = r.oneOf(n, "datatype", datatypes...) },
			"value":    func(n *yaml.Node) { t.Value = r.expr(n, "value", TensorEnv{}, false) },
			"shape": func(n *yaml.Node) {
				n = follow(n)
				if n.Kind != yaml.SequenceNode {
					r.addf(n, "shape must be a list of whole numbers, not %s", nodeKind(n))
					return
				}
				for _, c := range n.Content {
					t.Shape = append(t.Shape, int(r.integer(c, "shape", -1, 1<<31)))
				}
			},
		})
		if t.Datatype == "" && follow(e.value).Kind == yaml.MappingNode && !hasKey(e.value, "datatype") {
			r.addf(e.key, "input %s has no `datatype`; known: %s", e.name, strings.Join(datatypes, ", "))
		}
		out[e.name] = t
	}
	return out
}

func hasKey(n *yaml.Node, name string) bool {
	n = follow(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

func (r *reader) errorSets(n *yaml.Node) ErrorSets {
	var sets ErrorSets
	seen := map[int64]string{}
	set := func(name string, to *[]int) func(*yaml.Node) {
		return func(n *yaml.Node) {
			n = follow(n)
			if n.Kind != yaml.SequenceNode {
				r.addf(n, "errors.%s must be a list of HTTP statuses, not %s", name, nodeKind(n))
				return
			}
			for _, c := range n.Content {
				status := r.integer(c, "an HTTP status", 400, 599)
				if other, ok := seen[status]; ok && status != 0 {
					r.addf(follow(c), "errors has the status %d twice, in %s and %s", status, other, name)
				}
				seen[status] = name
				*to = append(*to, int(status))
			}
		}
	}
	r.keys(n, "errors", map[string]func(*yaml.Node){
		"poison": set("poison", &sets.Poison),
		"pause":  set("pause", &sets.Pause),
		"retry":  set("retry", &sets.Retry),
	})
	return sets
}
