package pipeline

import (
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// What a step has that declares nothing.
const (
	defaultAttempts   = 5
	defaultMinBackoff = 100 * time.Millisecond
	defaultMaxBackoff = 10 * time.Second
)

// The three kinds of steps and the keys that mean something to each.
var (
	callKeys   = []string{"from", "to", "call", "input", "output", "when", "batch", "retry", "dlq", "order", "start", "concurrency", "timeout"}
	filterKeys = []string{"from", "to", "output", "when", "dlq", "order", "start"}
	joinKeys   = []string{"join", "to", "dlq", "start"}
)

// settings are the keys that `defaults` and a step share.
type settings struct {
	order       Order
	start       Start
	retry       Retry
	dlq         string
	batch       Batch
	concurrency int
	timeout     time.Duration

	// places and used tell which keys `defaults` has and which of them a step took.
	places map[string]*yaml.Node
	used   map[string]bool
}

func (s *settings) readers(r *reader) map[string]func(*yaml.Node) {
	return map[string]func(*yaml.Node){
		"order": func(n *yaml.Node) {
			s.order = Order(r.oneOf(n, "order", string(OrderKey), string(OrderNone), string(OrderStrict)))
		},
		"start":       func(n *yaml.Node) { s.start = r.start(n) },
		"retry":       func(n *yaml.Node) { s.retry = r.retry(n, s.retry) },
		"dlq":         func(n *yaml.Node) { s.dlq = r.topic(n, "dlq") },
		"batch":       func(n *yaml.Node) { s.batch = r.batch(n) },
		"concurrency": func(n *yaml.Node) { s.concurrency = int(r.integer(n, "concurrency", 1, 1024)) },
		"timeout":     func(n *yaml.Node) { s.timeout = r.positive(n, "timeout") },
	}
}

// defaults reads `defaults`; n is nil when there are none.
func (r *reader) defaults(n *yaml.Node) *settings {
	s := &settings{
		order: OrderKey,
		retry: Retry{Attempts: defaultAttempts, Min: defaultMinBackoff, Max: defaultMaxBackoff},
		batch: Batch{Max: 1},
		used:  map[string]bool{}, places: map[string]*yaml.Node{},
	}
	if n == nil {
		return s
	}
	readers := s.readers(r)
	for name, read := range readers {
		readers[name] = func(v *yaml.Node) { s.places[name] = v; read(v) }
	}
	r.keys(n, "defaults", readers)
	return s
}

// unused notes the defaults that no step has a use for.
func (s *settings) unused(r *reader) {
	for _, name := range slices.Sorted(maps.Keys(s.places)) {
		if !s.used[name] {
			r.addf(s.places[name], "unused key %s in defaults: no step uses it", quote(name))
		}
	}
}

func (r *reader) step(p *Pipeline, e entry, defaults *settings) *Step {
	if r.shortName(e.key, "a step") == "" {
		return nil
	}
	s := &Step{Pos: r.pos(e.key), Name: e.name, places: map[string]Pos{}}
	what := "step " + e.name
	fields := r.fields(e.value, what)
	has := map[string]bool{}
	for _, f := range fields {
		has[f.name] = true
		s.places[f.name] = r.pos(f.value)
	}
	keys, kind := filterKeys, "a step without `call`"
	switch {
	case has["join"]:
		keys, kind = joinKeys, "a join"
	case has["call"]:
		keys, kind = callKeys, ""
	}
	own := *defaults
	readers := own.readers(r)
	var callInput, stepInput *yaml.Node
	maps.Copy(readers, map[string]func(*yaml.Node){
		"from": func(n *yaml.Node) { s.From = r.topicList(n, "from") },
		"to":   func(n *yaml.Node) { s.To = r.topic(n, "to") },
		"when": func(n *yaml.Node) { s.When = r.expr(n, "when", Env{}, true) },
		"call": func(n *yaml.Node) {
			r.keys(n, "call", map[string]func(*yaml.Node){
				"model": func(n *yaml.Node) {
					s.Model = r.plainText(n, "model")
					s.places["model"] = r.pos(n)
				},
				"input": func(n *yaml.Node) { callInput = n },
			})
			if follow(n).Kind == yaml.MappingNode && !hasKey(n, "model") {
				r.addf(follow(n), "call has no `model`")
			}
		},
		"input":  func(n *yaml.Node) { stepInput = n },
		"output": func(n *yaml.Node) { s.Output = r.expr(n, "output", OutputEnv{}, false) },
		"join":   func(n *yaml.Node) { s.Join = r.join(n) },
	})
	for _, f := range fields {
		read, exists := readers[f.name]
		switch {
		case !exists:
			r.addf(f.key, "unknown key %s in %s%s", quote(f.name), what, meant(f.name, keys))
		case !slices.Contains(keys, f.name):
			r.addf(f.key, "unused key %s in %s: it means nothing to %s", quote(f.name), what, kind)
		default:
			read(f.value)
		}
	}
	if callInput != nil && stepInput != nil {
		r.addf(stepInput, "input is said twice, here and in call")
	} else if n := cmpNode(callInput, stepInput); n != nil {
		s.Input = r.expr(n, "input", Env{}, false)
	}
	if !has["join"] && !has["from"] {
		r.addf(e.key, "%s has neither `from` nor `join`: what does it read?", what)
	}
	if !has["to"] {
		r.addf(e.key, "%s has no `to`: where do its results go?", what)
	}
	s.apply(p, &own, defaults, keys, has)
	return s
}

func cmpNode(a, b *yaml.Node) *yaml.Node {
	if a != nil {
		return a
	}
	return b
}

// apply takes over the settings that this kind of step has a use for.
func (s *Step) apply(p *Pipeline, own, defaults *settings, keys []string, has map[string]bool) {
	takes := func(name string) bool {
		ok := slices.Contains(keys, name)
		if ok && !has[name] {
			defaults.used[name] = true
		}
		return ok
	}
	// retry is merged field by field, so its default is of use beside a step's own.
	if has["retry"] {
		defaults.used["retry"] = true
	}
	if takes("order") {
		s.Order = own.order
	}
	if takes("start") {
		s.Start = own.start
	}
	if takes("dlq") {
		s.DLQ = own.dlq
		if s.DLQ == "" && p.Name != "" {
			s.DLQ = p.Name + ".dlq"
		}
	}
	if takes("retry") {
		s.Retry = own.retry
	}
	if takes("batch") {
		s.Batch = own.batch
	}
	if takes("concurrency") {
		s.Concurrency = own.concurrency
	}
	if takes("timeout") {
		s.Timeout = own.timeout
	}
}

func (r *reader) topicList(n *yaml.Node, what string) []string {
	var out []string
	before := len(*r.problems)
	for _, s := range r.texts(n, what) {
		if err := checkTopicName(s); err != nil {
			if len(*r.problems) == before {
				r.addf(follow(n), "%s: %v", what, err)
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func (r *reader) start(n *yaml.Node) Start {
	n = follow(n)
	switch {
	case n.Kind != yaml.ScalarNode:
	case n.Value == "earliest":
		return Start{}
	case n.Value == "latest":
		return Start{Latest: true}
	default:
		if at, err := time.Parse(time.RFC3339, n.Value); err == nil {
			return Start{At: at}
		}
		r.addf(n, "start must be earliest, latest or a time like 2026-01-31T08:00:00Z, not %s%s", nodeKind(n), nearestOnly(n.Value, "earliest", "latest"))
		return Start{}
	}
	r.addf(n, "start must be earliest, latest or a time like 2026-01-31T08:00:00Z, not %s", nodeKind(n))
	return Start{}
}

func nearestOnly(s string, words ...string) string {
	if w := nearest(s, words); w != "" {
		return "; did you mean " + quote(w) + "?"
	}
	return ""
}

func (r *reader) retry(n *yaml.Node, base Retry) Retry {
	r.keys(n, "retry", map[string]func(*yaml.Node){
		"attempts": func(n *yaml.Node) { base.Attempts = int(r.integer(n, "attempts", 1, 1_000_000)) },
		"backoff": func(n *yaml.Node) {
			n = follow(n)
			if n.Kind != yaml.ScalarNode {
				r.addf(n, "backoff must be a range of durations like 100ms..10s, not %s", nodeKind(n))
				return
			}
			lo, hi, err := parseRange(n.Value)
			if err != nil {
				r.addf(n, "backoff: %v", err)
				return
			}
			base.Min, base.Max = lo, hi
		},
	})
	return base
}

func (r *reader) batch(n *yaml.Node) Batch {
	b := Batch{Max: 1}
	r.keys(n, "batch", map[string]func(*yaml.Node){
		"max":  func(n *yaml.Node) { b.Max = int(r.integer(n, "max", 1, 100_000)) },
		"wait": func(n *yaml.Node) { b.Wait = r.duration(n, "wait") },
	})
	if hasKey(n, "wait") && !hasKey(n, "max") && follow(n).Kind == yaml.MappingNode {
		r.addf(follow(n), "batch has a `wait` but no `max`: nothing is waited for with batches of one")
	}
	return b
}

func (r *reader) join(n *yaml.Node) *Join {
	j := &Join{Pos: r.pos(follow(n))}
	var require, by *yaml.Node
	var within, of bool
	r.keys(n, "join", map[string]func(*yaml.Node){
		"of":      func(n *yaml.Node) { of = true; j.Of = r.branches(n) },
		"by":      func(n *yaml.Node) { by = n },
		"within":  func(n *yaml.Node) { within = true; j.Within = r.positive(n, "within") },
		"require": func(n *yaml.Node) { require = n },
		"late": func(late *yaml.Node) {
			switch s := r.topic(late, "late"); s {
			case "amend", "":
			case "drop":
				j.Late.Drop = true
			default:
				if n := nearest(s, []string{"amend", "drop"}); n != "" {
					r.addf(follow(late), "late must be amend, drop or a topic, not %s; did you mean %s?", quote(s), quote(n))
				}
				j.Late.Topic = s
			}
		},
	})
	if follow(n).Kind != yaml.MappingNode {
		return j
	}
	if !of {
		r.addf(follow(n), "join has no `of`: {name: topic, ...}")
	}
	if !within {
		r.addf(follow(n), "join has no `within`: how long does a row wait for its parts? (like 30s)")
	}
	switch {
	case by == nil:
		r.addf(follow(n), "join has no `by`: `event` joins what came of the same event, an expression what has an equal value")
	case follow(by).Value == "event":
	case nearest(follow(by).Value, []string{"event"}) != "": // no expression is that near
		r.addf(follow(by), "by cannot be %s%s", quote(follow(by).Value), meant(follow(by).Value, []string{"event"}))
	default:
		j.By = r.expr(by, "by", Env{}, false)
	}
	if require != nil {
		names := make([]string, len(j.Of))
		for i, b := range j.Of {
			names[i] = b.Name
		}
		for _, s := range r.texts(require, "require") {
			if !slices.Contains(names, s) {
				r.addf(follow(require), "require names %s, which is no branch of the join%s", quote(s), meant(s, names))
				continue
			}
			j.Require = append(j.Require, s)
		}
	}
	return j
}

func (r *reader) branches(n *yaml.Node) []Branch {
	var out []Branch
	for _, e := range r.fields(n, "of") {
		if r.shortName(e.key, "a branch") == "" {
			continue
		}
		if e.name == "missing" || e.name == "amended" {
			r.addf(e.key, "a branch cannot be called %s: the row says under that name what it lacks or that it was amended", quote(e.name))
			continue
		}
		topic := r.topic(e.value, "branch "+e.name)
		if i := slices.IndexFunc(out, func(b Branch) bool { return b.Topic == topic }); i >= 0 && topic != "" {
			r.addf(e.value, "branches %s and %s are the same topic", quote(out[i].Name), quote(e.name))
			continue
		}
		out = append(out, Branch{Pos: r.pos(e.key), Name: e.name, Topic: topic})
	}
	if follow(n).Kind == yaml.MappingNode && len(follow(n).Content) < 4 {
		r.addf(follow(n), "a join has two branches or more")
	}
	return out
}
