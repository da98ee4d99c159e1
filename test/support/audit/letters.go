package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// letter is a dead letter whose source is known.
type letter struct {
	record *kgo.Record
	step   string
	root   string
}

// checkLetters wants each dead letter to be the record that failed, whole, and no
// more of them than the readings of that record.
func (a *auditor) checkLetters() {
	a.letters, a.bySource = map[string]*letter{}, map[string]map[string][]*letter{}
	topics := map[string]bool{}
	for _, s := range a.Pipeline.Steps {
		a.bySource[s.Name] = map[string][]*letter{}
		topics[s.DLQ] = true
	}
	for t := range topics {
		for _, r := range a.Topics[t] {
			a.checkLetter(r)
		}
	}
	for _, s := range a.Pipeline.Steps {
		for source, ls := range a.bySource[s.Name] {
			if most := a.readings(a.Pipeline.Group(s), a.at[source], a.bound(s)); len(ls) > most {
				a.fault(Repeated, position(ls[most].record), "step %s dead-lettered %s %d times, %d are allowed", s.Name, source, len(ls), most)
			}
			a.rep.Repeats[s.DLQ] += len(ls) - 1
			a.rep.Letters[s.Name] += len(ls)
		}
	}
}

// bound is MaxInFlight, but for a join, whose windows are wider and hold parts.
func (a *auditor) bound(s *pipeline.Step) int64 {
	if s.Join != nil {
		return 0
	}
	return a.MaxInFlight
}

func (a *auditor) checkLetter(r *kgo.Record) {
	name := header(r, worker.HeaderDLQStep)
	partition, err1 := strconv.ParseInt(header(r, worker.HeaderDLQPartition), 10, 32)
	offset, err2 := strconv.ParseInt(header(r, worker.HeaderDLQOffset), 10, 64)
	topic := header(r, worker.HeaderDLQTopic)
	source := event.Position(topic, int32(partition), offset)
	original := a.at[source]
	step := a.Pipeline.Step(name)
	if err1 != nil || err2 != nil || original == nil || step == nil || !a.reads(step, topic) {
		a.fault(Stranger, position(r), "a dead letter of %s in step %q, which there is not", source, name)
		return
	}
	l := &letter{record: r, step: name, root: a.rootOf(original)}
	if a.messages[l.root] == nil {
		a.fault(Stranger, position(r), "a dead letter of %s, which comes of no message", source)
		return
	}
	a.letters[position(r)] = l
	a.bySource[name][source] = append(a.bySource[name][source], l)
	if why := differs(original, r); why != "" {
		a.fault(Altered, position(r), "the dead letter is not its original %s: %s", source, why)
		return
	}
	for _, h := range r.Headers[len(original.Headers):] {
		if !strings.HasPrefix(h.Key, "__dlq.errors.") && !strings.HasPrefix(h.Key, "leat.dlq.") {
			a.fault(Altered, position(r), "the dead letter has a header %s that its original %s has not", h.Key, source)
		}
	}
}

// reads tells whether a step reads a topic; a join also hears outcomes.
func (a *auditor) reads(s *pipeline.Step, topic string) bool {
	return slices.Contains(s.Inputs(), topic) || s.Join != nil && topic == a.Pipeline.Outcomes()
}
