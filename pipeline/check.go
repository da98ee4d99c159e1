package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// check finds what is wrong between the parts of one pipeline.
func check(p *Pipeline, problems *Problems) {
	checkModels(p, problems)
	checkTopics(p, problems)
	for _, s := range p.Steps {
		checkStep(p, s, problems)
	}
	checkCycles(p, problems)
	checkPartitions(p, problems)
}

func checkModels(p *Pipeline, problems *Problems) {
	names := make([]string, len(p.Models))
	for i, m := range p.Models {
		names[i] = m.Name
	}
	called := map[string]bool{}
	for _, s := range p.Steps {
		if s.Model == "" {
			continue
		}
		called[s.Model] = true
		if p.Model(s.Model) == nil {
			problems.addf(s.place("model"), "step %s calls the model %s, which is not declared%s", s.Name, quote(s.Model), meant(s.Model, names))
		}
	}
	for _, m := range p.Models {
		if !called[m.Name] {
			problems.addf(m.Pos, "unused model %s: no step calls it", quote(m.Name))
		}
	}
}

// internal are the topics that Leat itself makes for a pipeline.
func (p *Pipeline) internal() map[string]string {
	out := map[string]string{p.Outcomes(): "the outcomes of its steps"}
	for _, s := range p.Steps {
		out[p.Redrive(s)] = "redriven records of step " + s.Name
		if s.Join != nil {
			out[p.Rows(s)] = "the rows of join " + s.Name
		}
	}
	return out
}

func checkTopics(p *Pipeline, problems *Problems) {
	written, used := map[string]bool{}, map[string]bool{}
	for _, s := range p.Steps {
		for _, t := range outputs(s) {
			written[t], used[t] = true, true
		}
		for _, t := range s.Inputs() {
			used[t] = true
		}
	}
	var known []string
	for _, t := range p.Topics {
		known = append(known, t.Name)
		if !used[t.Name] {
			problems.addf(t.Pos, "unused topic %s: no step reads or writes it", quote(t.Name))
		}
	}
	for t := range written {
		known = append(known, t)
	}
	slices.Sort(known)
	internal := p.internal()
	for _, s := range p.Steps {
		for _, t := range s.Inputs() {
			declared := slices.ContainsFunc(p.Topics, func(d *Topic) bool { return d.Name == t })
			if t != "" && !written[t] && !declared {
				problems.addf(s.inputPlace(t), "step %s reads %s, which no step writes and `topics` does not declare%s", s.Name, quote(t), meant(t, known))
			}
		}
		for _, t := range append(outputs(s), s.Inputs()...) {
			if what, ok := internal[t]; ok {
				problems.addf(s.Pos, "step %s cannot use the topic %s: it is for %s", s.Name, quote(t), what)
			}
		}
	}
}

// outputs are the topics a step writes by its declaration.
func outputs(s *Step) []string {
	out := append(one(s.To), one(s.DLQ)...)
	if s.Join != nil {
		out = append(out, one(s.Join.Late.Topic)...)
	}
	return out
}

func checkStep(p *Pipeline, s *Step, problems *Problems) {
	if s.DLQ != "" && s.DLQ == s.To {
		problems.addf(s.place("to"), "step %s writes results and dead letters to the same topic %s", s.Name, quote(s.To))
	}
	if slices.Contains(s.Inputs(), s.DLQ) {
		problems.addf(s.inputPlace(s.DLQ), "step %s reads its own dead letters in %s: one that fails again would go round for ever", s.Name, quote(s.DLQ))
	}
	var formats []string
	for _, t := range s.Inputs() {
		if f := string(p.Topic(t).Format); t != "" && f != "" && !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	if s.Join == nil {
		if len(formats) > 1 {
			problems.addf(s.place("from"), "step %s reads topics of different formats (%s): its expressions and its model would not know what `value` is", s.Name, strings.Join(formats, ", "))
		}
		return
	}
	if f := p.Topic(s.To).Format; f != JSON && f != "" {
		problems.addf(s.place("to"), "join %s writes rows, which are JSON, but topic %s has format %s", s.Name, quote(s.To), f)
	}
	if t := s.Join.Late.Topic; t != "" && (t == s.To || t == s.DLQ || slices.Contains(s.Inputs(), t)) {
		problems.addf(s.Join.Pos, "late parts cannot go to %s, which join %s uses already", quote(t), s.Name)
	}
}

// checkPartitions compares the declared partition counts of what a join reads.
// Counts that are not declared follow from the inputs or are looked up in the
// cluster before the pipeline runs.
func checkPartitions(p *Pipeline, problems *Problems) {
	for _, s := range p.Steps {
		if s.Join == nil {
			continue
		}
		first := ""
		topics := append(s.Inputs(), s.To)
		for _, t := range topics {
			switch n := p.Topic(t).Partitions; {
			case n == 0:
			case first == "":
				first = t
			case n != p.Topic(first).Partitions:
				problems.addf(s.Join.Pos, "join %s needs equal partition counts, for the parts of a row to meet: %s has %d, %s has %d",
					s.Name, quote(first), p.Topic(first).Partitions, quote(t), n)
			}
		}
	}
}

// checkTogether finds what is wrong between pipelines that run side by side.
func checkTogether(all []*Pipeline, problems *Problems) {
	for i, p := range all {
		for _, q := range all[:i] {
			if p.Name != "" && p.Name == q.Name {
				problems.addf(p.Pos, "pipeline %s is declared twice, first at %s: their groups would be the same", quote(p.Name), q.Pos)
				continue
			}
			for _, t := range p.Topics {
				for _, u := range q.Topics {
					if diff := differ(t, u); t.Name == u.Name && diff != "" {
						problems.addf(t.Pos, "topic %s is declared with another %s at %s", quote(t.Name), diff, u.Pos)
					}
				}
			}
			if t := foreign(p, q); t != "" {
				problems.addf(p.Pos, "pipeline %s uses the topic %s, which is for %s of pipeline %s", p.Name, quote(t), q.internal()[t], q.Name)
			}
			if t := foreign(q, p); t != "" {
				problems.addf(q.Pos, "pipeline %s uses the topic %s, which is for %s of pipeline %s", q.Name, quote(t), p.internal()[t], p.Name)
			}
		}
	}
}

// foreign returns a topic that p uses and that is internal to q.
func foreign(p, q *Pipeline) string {
	internal := q.internal()
	for _, s := range p.Steps {
		for _, t := range append(outputs(s), s.Inputs()...) {
			if _, ok := internal[t]; ok {
				return t
			}
		}
	}
	return ""
}

func differ(t, u *Topic) string {
	switch {
	case t.Format != u.Format:
		return "format"
	case t.Partitions != u.Partitions:
		return "number of partitions"
	case t.Retention != u.Retention:
		return "retention"
	case t.MaxBytes != u.MaxBytes:
		return "max_bytes"
	}
	return ""
}

// checkCycles refuses pipelines in which a record could go round: each round
// would make new records, for ever.
func checkCycles(p *Pipeline, problems *Problems) {
	const (
		unseen = iota
		open
		done
	)
	state := map[*Step]int{}
	var path []*Step
	var visit func(s *Step)
	visit = func(s *Step) {
		state[s] = open
		path = append(path, s)
		for _, next := range p.Steps {
			if s.To == "" || !slices.Contains(next.Inputs(), s.To) {
				continue
			}
			switch state[next] {
			case unseen:
				visit(next)
			case open:
				names := []string{}
				for _, on := range path[slices.Index(path, next):] {
					names = append(names, fmt.Sprintf("%s → %s", on.Name, on.To))
				}
				problems.addf(next.Pos, "steps go round in a circle: %s → %s", strings.Join(names, " → "), next.Name)
			}
		}
		path = path[:len(path)-1]
		state[s] = done
	}
	for _, s := range p.Steps {
		if state[s] == unseen {
			visit(s)
		}
	}
}

// inputPlace is where a step names an input.
func (s *Step) inputPlace(topic string) Pos {
	if s.Join != nil {
		for _, b := range s.Join.Of {
			if b.Topic == topic {
				return b.Pos
			}
		}
	}
	return s.place("from")
}
