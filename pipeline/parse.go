package pipeline

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// File is the bytes of one file and the name that errors call it by.
type File struct {
	Name string
	Data []byte
}

// Parse reads the pipelines of some files, one per YAML document, and checks
// them, each by itself and all together, since they will run side by side. The
// error is a Problems with every mistake of every file. Parse reads nothing but
// its arguments: secrets are looked up by Resolve.
func Parse(files ...File) ([]*Pipeline, error) {
	var problems Problems
	var names []string
	var all []*Pipeline
	for _, f := range files {
		names = append(names, f.Name)
		r := &reader{file: f.Name, problems: &problems}
		all = append(all, r.documents(f.Data)...)
	}
	for _, p := range all {
		check(p, &problems)
	}
	checkTogether(all, &problems)
	if len(problems) > 0 {
		return nil, problems.sorted(names)
	}
	return all, nil
}

func (r *reader) documents(data []byte) []*Pipeline {
	var out []*Pipeline
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.syntax(err)
			return out
		}
		if len(doc.Content) == 0 || follow(doc.Content[0]).Tag == "!!null" {
			continue // an empty document: a file may begin or end with ---
		}
		out = append(out, r.pipeline(doc.Content[0]))
	}
	if len(out) == 0 {
		r.problems.addf(Pos{File: r.file}, "there is no pipeline in the file; one begins with `name:` and has `steps:`")
	}
	return out
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (r *reader) syntax(err error) {
	pos := Pos{File: r.file, Line: 1, Col: 1}
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			pos.Line = n
		}
		text = text[len(m[0]):]
	}
	r.problems.addf(pos, "not YAML: %s", text)
}

func (r *reader) pipeline(n *yaml.Node) *Pipeline {
	n = follow(n)
	p := &Pipeline{Pos: r.pos(n)}
	var named bool
	var defaults, steps *yaml.Node
	r.keys(n, "the pipeline", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			named = true
			if n = follow(n); n.Kind != yaml.ScalarNode {
				r.addf(n, "name must be a text, not %s", nodeKind(n))
				return
			}
			p.Name = r.shortName(n, "a pipeline")
		},
		"topics":   func(n *yaml.Node) { p.Topics = r.topics(n) },
		"models":   func(n *yaml.Node) { p.Models = r.models(n) },
		"defaults": func(n *yaml.Node) { defaults = n },
		"steps":    func(n *yaml.Node) { steps = n },
	})
	if n.Kind != yaml.MappingNode {
		return p
	}
	if !named {
		r.addf(n, "the pipeline has no `name`: its groups and topics are called after it")
	}
	if steps == nil {
		r.addf(n, "the pipeline has no `steps`")
		return p
	}
	d := r.defaults(defaults)
	for _, e := range r.fields(steps, "steps") {
		if s := r.step(p, e, d); s != nil {
			p.Steps = append(p.Steps, s)
		}
	}
	if len(p.Steps) == 0 && follow(steps).Kind == yaml.MappingNode && len(follow(steps).Content) == 0 {
		r.addf(follow(steps), "the pipeline has no steps")
	}
	d.unused(r)
	return p
}

func (r *reader) topics(n *yaml.Node) []*Topic {
	var out []*Topic
	for _, e := range r.fields(n, "topics") {
		if err := checkTopicName(e.name); err != nil {
			r.addf(e.key, "%v", err)
			continue
		}
		t := &Topic{Pos: r.pos(e.key), Name: e.name, Format: JSON}
		what := "topic " + e.name
		if follow(e.value).Tag != "!!null" {
			r.keys(e.value, what, map[string]func(*yaml.Node){
				"format": func(n *yaml.Node) {
					t.Format = Format(r.oneOf(n, "format", string(JSON), string(PlainText), string(Bytes)))
				},
				"partitions": func(n *yaml.Node) { t.Partitions = int32(r.integer(n, "partitions", 1, 100_000)) },
				"retention": func(n *yaml.Node) {
					if n = follow(n); n.Value == "forever" {
						t.Retention = Forever
						return
					}
					t.Retention = r.positive(n, "retention")
				},
				"max_bytes": func(n *yaml.Node) {
					n = follow(n)
					size, err := parseSize(n.Value)
					if err != nil {
						r.addf(n, "max_bytes: %v", err)
					} else if size > 1<<30 {
						r.addf(n, "max_bytes: %s is more than the 1GiB a record can have", n.Value)
					}
					t.MaxBytes = size
				},
			})
		}
		out = append(out, t)
	}
	return out
}
