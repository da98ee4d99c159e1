package audit

import (
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
)

// checkStep accounts for what a step made of each record that it read.
func (a *auditor) checkStep(s *pipeline.Step) {
	group := a.Pipeline.Group(s)
	for root, outs := range a.copies[s.To] {
		m, ins := a.messages[root], a.inputsOf(s, root)
		if m == nil || len(ins) == 0 {
			a.fault(Stranger, position(outs[0]), "a result of %q, which step %s never read", root, s.Name)
			continue
		}
		most := 0
		for _, in := range ins {
			most += a.readings(group, in, a.MaxInFlight)
		}
		if len(outs) > most {
			a.fault(Repeated, position(outs[most]), "step %s made %d results of %s, %d are allowed", s.Name, len(outs), root, most)
		}
		a.rep.Repeats[s.To] += len(outs) - 1
		id := resultID(a.Pipeline.Group(s), root, ins[0])
		for _, out := range outs {
			if idOf(out) != id {
				a.fault(OtherID, position(out), "the result of step %s has the id %s, it must be %s", s.Name, idOf(out), id)
			}
			if why := differsInHeritage(m.Record, out); why != "" {
				a.fault(Altered, position(out), "the result of step %s: %s", s.Name, why)
			}
			if !same(out.Value, outs[0].Value) && equal(ins) {
				a.fault(Different, position(out), "a repeat of step %s differs from the first result %s", s.Name, position(outs[0]))
			}
		}
	}
	for root := range a.messages {
		if ins := a.inputsOf(s, root); len(ins) > 0 {
			a.checkMade(s, root, ins)
		}
	}
}

// equal tells whether all copies of an input have one value. A row that is amended
// has not, and what is made of it differs, too.
func equal(rs []*kgo.Record) bool {
	return !slices.ContainsFunc(rs, func(r *kgo.Record) bool { return !same(r.Value, rs[0].Value) })
}

// checkMade wants exactly one of a result, a dead letter and a refusal by `when`.
func (a *auditor) checkMade(s *pipeline.Step, root string, ins []*kgo.Record) {
	outs := a.copies[s.To][root]
	letters := 0
	for _, in := range ins {
		letters += len(a.bySource[s.Name][position(in)])
	}
	// An amended row may pass where its first form did not.
	switch wanted := slices.ContainsFunc(ins, func(in *kgo.Record) bool { return passes(s, in) }); {
	case len(outs) > 0 && letters > 0:
		a.fault(Both, position(outs[0]), "step %s made a result and a dead letter of %s", s.Name, root)
	case len(outs) > 0 && !wanted:
		a.fault(Stranger, position(outs[0]), "step %s has a result of %s, which its `when` refuses", s.Name, root)
	case len(outs) == 0 && letters == 0 && wanted:
		a.fault(Lost, root, "step %s made neither a result nor a dead letter of it", s.Name)
	}
}

// passes evaluates `when`. What cannot be evaluated is not refused: it must have a
// dead letter.
func passes(s *pipeline.Step, r *kgo.Record) bool {
	if s.When == nil || r.Value == nil {
		return true
	}
	var value any
	if json.Unmarshal(r.Value, &value) != nil {
		return true
	}
	pass, err := s.When.Test(pipeline.Env{Value: value, Key: string(r.Key), Topic: r.Topic, Partition: int(r.Partition), Offset: r.Offset, Time: r.Timestamp, ID: idOf(r)})
	return pass || err != nil
}

// inputsOf are the records of a message that a step reads.
func (a *auditor) inputsOf(s *pipeline.Step, root string) []*kgo.Record {
	var ins []*kgo.Record
	for _, t := range s.Inputs() {
		ins = append(ins, a.copies[t][root]...)
	}
	return ins
}

// resultID is the id of what a step makes of a record.
func resultID(group, root string, in *kgo.Record) string {
	if id := idOf(in); id != root {
		return event.DerivedID(root, group, id)
	}
	return event.DerivedID(root, group)
}

// checkOrder wants the first results of each key in the order of its messages. Rows
// that lack a part come when that is known, so of a join the whole ones count.
func (a *auditor) checkOrder(s *pipeline.Step) {
	last := map[string]*message{} // by key
	seen := map[string]bool{}
	for _, r := range a.Topics[s.To] {
		m := a.messages[a.rootOf(r)]
		if m == nil || m.Record.Key == nil || seen[m.root] || s.Join != nil && (lacksParts(r) || amended(r)) {
			continue
		}
		seen[m.root] = true
		key := string(m.Record.Key)
		if before := last[key]; before != nil && before.Record.Offset > m.Record.Offset {
			a.fault(Overtaken, position(r), "in %s, %s comes after %s, a later message of the same key", s.To, m.root, before.root)
		}
		last[key] = m
	}
}

// feeds tells whether what a step makes is needed for a topic.
func (a *auditor) feeds(step, topic string) bool {
	for _, s := range a.Pipeline.Steps {
		if s.To == topic && (s.Name == step || slices.ContainsFunc(s.Inputs(), func(t string) bool { return a.feeds(step, t) })) {
			return true
		}
	}
	return false
}
