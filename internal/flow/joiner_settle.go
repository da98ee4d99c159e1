package flow

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/flow/join"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// settlement is one effect on its way out. They are carried out in the order of
// the machines' decisions: a row that is amended must not be overtaken by itself.
type settlement struct {
	partition int32
	ms        []*worker.Message
	outcome   worker.Outcome
	// reject dead-letters the parts among ms, with this error; the joins that wait
	// for row are told where the first of them lies.
	reject error
	row    *join.Row
	// state is written before anything else, if there is any.
	state *kgo.Record
}

// perform turns effects into settlements. The caller holds j.mu.
func (j *joiner) perform(partition int32, effects []join.Effect) {
	for _, e := range effects {
		s := settlement{partition: partition, ms: messages(e.Refs)}
		if e.Keep {
			for _, p := range e.Row.Parts {
				p.Meta.(*partMeta).detach()
			}
			s.state = j.state.record(j, partition, &e.Row)
		}
		switch e.Kind {
		case join.Emit:
			s.outcome = worker.Done(j.rowRecord(&e.Row))
			j.meter.row(&e.Row)
		case join.Dropped:
			var told []*kgo.Record
			if e.Reason == join.ReasonUnmatched {
				told = j.tellOfRow(&e.Row, "")
			}
			s.outcome = worker.Filtered(told...)
			j.meter.dropped(e.Reason)
		case join.Withhold:
			s.outcome = worker.Filtered(j.tellOfRow(&e.Row, j.deadLetter(&e.Row))...)
			j.meter.withheld.Inc()
		case join.Reject:
			s.reject = &worker.Error{Class: worker.Poison, Stage: "join", Err: errors.New(e.Reason)}
			s.outcome, s.row = worker.Filtered(), &e.Row
			j.meter.withheld.Inc()
		case join.Sent:
			s.outcome = worker.Done(j.lateRecord(s.ms[0]))
			j.meter.dropped("sent")
		case join.Forgotten:
			j.meter.dropped("forgotten")
		}
		if e.Forget {
			j.parts[partition].forget(e.Row.ID)
		}
		if len(s.ms) > 0 || s.state != nil {
			j.queue = append(j.queue, s)
		}
	}
	if len(j.queue) > 0 {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
}

func messages(refs []join.Ref) []*worker.Message {
	ms := make([]*worker.Message, len(refs))
	for i, r := range refs {
		ms[i] = r.(*worker.Message)
	}
	return ms
}

// settleAll carries settlements out until ctx ends.
func (j *joiner) settleAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.wake:
		}
		j.mu.Lock()
		batch := j.queue
		j.queue, j.busy = nil, true
		j.mu.Unlock()
		j.state.save(ctx, batch)
		if ctx.Err() == nil {
			for _, s := range batch {
				j.settle(s)
			}
		}
		j.mu.Lock()
		j.busy = false
		j.idle.Broadcast()
		j.mu.Unlock()
	}
}

func (j *joiner) settle(s settlement) {
	if s.reject == nil {
		if len(s.ms) > 0 {
			worker.SettleAll(s.ms, s.outcome)
		}
		return
	}
	for _, m := range s.ms {
		if m.Topic == j.p.Outcomes() {
			m.Settle(s.outcome)
			continue
		}
		j.mu.Lock()
		j.rejected[m], s.row = s.row, nil
		j.mu.Unlock()
		m.Settle(worker.Failed(s.reject))
	}
}

// announce is the worker's: a message has become a dead letter. When it is one
// that the join could not read, its row is told that the branch will not come.
func (j *joiner) announce(d worker.DeadLettered) []*kgo.Record {
	j.mu.Lock()
	row, rejected := j.rejected[d.Message]
	delete(j.rejected, d.Message)
	j.mu.Unlock()
	place := event.Position(d.Topic, d.Partition, d.Offset)
	branch, is := j.branches[d.Message.Identity.Topic]
	switch {
	case row != nil:
		return j.tellOfRow(row, place)
	case rejected || !is || j.s.Join.By != nil:
		return nil
	}
	o := outcome{Step: j.s.Name, Event: d.Message.Identity.Root, Branch: branch.Name, DeadLetter: place}
	return []*kgo.Record{o.record(j.p, d.Message.Key, rootPosition(j.p, d.Message.Identity, d.Message.Headers))}
}

// deadLetter is the place of the dead letter for which a row is withheld.
func (j *joiner) deadLetter(r *join.Row) string {
	for _, b := range j.s.Join.Require {
		if why, ok := r.Missing[b]; ok {
			return why
		}
	}
	return ""
}

// tellOfRow tells joins behind this one that no row of an event comes out.
func (j *joiner) tellOfRow(r *join.Row, deadLetter string) []*kgo.Record {
	meta := j.base(r)
	if !j.announces || meta == nil {
		return nil
	}
	at := rootPosition(j.p, meta.id, meta.record.Headers)
	return []*kgo.Record{outcome{Step: j.s.Name, Event: meta.id.Root, DeadLetter: deadLetter}.record(j.p, meta.key, at)}
}

// base is the part whose key, headers and root a row takes over: the first in
// the order of the declaration.
func (j *joiner) base(r *join.Row) *partMeta {
	for _, b := range j.s.Join.Of {
		if p, ok := r.Parts[b.Name]; ok {
			return p.Meta.(*partMeta)
		}
	}
	return nil
}

// Headers of rows.
const (
	// headerRow says what a row is: complete, partial, or, in the state alone,
	// withheld.
	headerRow = "leat-row"
	// headerParts has the event ids of the row's parts by branch, as JSON.
	headerParts = "leat-parts"
	// headerJoinKey is the value of `by`, when that is an expression.
	headerJoinKey = "leat-join-key"
)

// rowRecord is a row as it comes out.
func (j *joiner) rowRecord(r *join.Row) *kgo.Record {
	rec := &kgo.Record{Topic: j.s.To, Value: j.rowValue(r), Timestamp: r.Time}
	parts := map[string]string{}
	for b, p := range r.Parts {
		parts[b] = p.Event
	}
	partsJSON, _ := json.Marshal(parts) // strings always marshal
	row := "complete"
	switch {
	case !r.Emitted:
		row = "withheld"
	case len(r.Missing) > 0:
		row = "partial"
	}
	var hs []kgo.RecordHeader
	if meta := j.base(r); meta != nil {
		rec.Key = meta.key
		hs = event.SetHeader(event.Derive(meta.record, meta.id, j.maker), HeaderRoot, rootPosition(j.p, meta.id, meta.record.Headers))
	}
	if _, ok := event.Header(hs, "ce_id"); ok {
		hs = event.SetHeader(hs, "ce_id", r.ID)
	}
	hs = event.SetHeader(hs, event.HeaderEventID, r.ID)
	hs = event.SetHeader(hs, event.HeaderPipeline, j.p.Name)
	hs = event.SetHeader(hs, event.HeaderStep, j.s.Name)
	hs = event.SetHeader(hs, "content-type", contentTypes[j.out])
	hs = event.SetHeader(hs, headerRow, row)
	hs = event.SetHeader(hs, headerParts, string(partsJSON))
	if j.s.Join.By != nil {
		hs = event.SetHeader(hs, headerJoinKey, r.Key)
	} else {
		hs = event.SetHeader(hs, event.HeaderCorrelationID, r.Key)
	}
	// The parts were made by models of their own.
	rec.Headers = slices.DeleteFunc(hs, func(h kgo.RecordHeader) bool {
		return h.Key == event.HeaderModel || h.Key == event.HeaderModelVersion || h.Key == headerRecordKey
	})
	return rec
}

// rowValue writes a row's parts in the order of the declaration, then what is
// missing and whether it is amended.
func (j *joiner) rowValue(r *join.Row) []byte {
	value := []byte{'{'}
	field := func(name string, data []byte) {
		if len(value) > 1 {
			value = append(value, ',')
		}
		key, _ := json.Marshal(name) // strings always marshal
		value = append(append(append(value, key...), ':'), data...)
	}
	for _, b := range j.s.Join.Of {
		if p, ok := r.Parts[b.Name]; ok {
			field(b.Name, p.Value)
		}
	}
	if len(r.Missing) > 0 {
		missing, _ := json.Marshal(r.Missing)
		field("missing", missing)
	}
	if r.Amended {
		field("amended", []byte("true"))
	}
	return append(value, '}')
}

// lateRecord is a late part on its way to the topic of late parts.
func (j *joiner) lateRecord(m *worker.Message) *kgo.Record {
	return &kgo.Record{Topic: j.s.Join.Late.Topic, Key: m.Key, Value: m.Value, Timestamp: m.Timestamp,
		Headers: event.SetHeader(event.Derive(m.Record, m.Identity, j.maker, "late"), HeaderRoot, rootPosition(j.p, m.Identity, m.Headers))}
}
