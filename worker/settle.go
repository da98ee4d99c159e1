package worker

import (
	"context"
	"errors"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/twmb/franz-go/pkg/kgo"
)

// settle carries out the outcomes of one call, in the messages' order.
func (w *Worker) settle(ms []*Message, outcomes []Outcome, stalled map[*lane]bool) {
	w.mu.Lock()
	now := time.Now()
	w.tellBreakerOfPasses(ms, outcomes, now)
	var write []int
	for i, m := range ms {
		o := outcomes[i]
		switch {
		case m.part.gone:
			w.putBack(m, time.Time{}, now)
		case stalled[m.lane]:
			// An earlier message of its lane has to be tried again: its result would
			// overtake.
			w.putBack(m, time.Time{}, now)
		case o.kind == outcomeHeld:
			m.state = held
			m.part.active--
			m.part.held++
			w.queue.release(m, now)
		case o.kind == outcomeFailed:
			if w.judge(m, o.err, now) == deadLetter {
				w.calls.Go(func() { w.deadLetter(m, o.err) })
			} else {
				stalled[m.lane] = true
			}
		case o.kind == outcomeNone:
			w.failLocked(errors.New("the handler answered a message with the zero Outcome; use Done, Filtered, Failed or Held"))
			w.putBack(m, time.Time{}, now)
		default:
			write = append(write, i)
		}
	}
	w.changed.Broadcast()
	w.mu.Unlock()
	for _, i := range write {
		w.writeResults([]*Message{ms[i]}, outcomes[i])
	}
}

// tellBreakerOfPasses counts the results that show that the backend answers: a
// record done or taken (Held), or found bad by the backend itself. A filtered one
// may never have got as far as the backend.
func (w *Worker) tellBreakerOfPasses(ms []*Message, outcomes []Outcome, now time.Time) {
	for i := range ms {
		o := outcomes[i]
		bad := o.kind == outcomeFailed && ClassOf(o.err) == Poison && stageOf(o.err) == "call"
		if o.kind == outcomeDone || o.kind == outcomeHeld || bad {
			// Failures of the same call happened before this success: what passed
			// together with them shows that they stand alone.
			for j, m := range ms {
				if outcomes[j].kind == outcomeFailed && ClassOf(outcomes[j].err) == Retriable {
					w.breaker.failTogether([]*Message{m}, now)
				}
			}
			var witness *Message
			if o.kind == outcomeDone {
				witness = ms[i]
			}
			w.pauseFor(func() { w.breaker.pass(witness) })
			return
		}
	}
}

// judge decides what becomes of a message that failed on its own. Unless the answer
// is deadLetter it has put the message back.
func (w *Worker) judge(m *Message, err error, now time.Time) verdict {
	strict := w.cfg.Order == OrderStrict
	if w.work.Err() != nil {
		w.putBack(m, time.Time{}, now) // given up by us: nobody's failure
		return waitOut
	}
	w.meter.failure(err, now)
	var v verdict
	switch ClassOf(err) {
	case Fatal:
		w.failLocked(err)
		v = waitOut
	case Outage:
		w.pauseFor(func() { w.breaker.outage(err, now) })
		v = waitOut
	case Poison:
		m.firstFailAt, m.lastFailAt = firstOf(m.firstFailAt, now), now
		m.attempts++
		v = deadLetter
		if strict {
			v = tryAgain
		}
	default:
		w.pauseFor(func() { v = w.breaker.failAlone(m, err, strict, now) })
	}
	switch v {
	case deadLetter:
	case tryAgain:
		wait := max(w.cfg.Retry.backoff(m.attempts-1), retryAfter(err))
		if strict {
			w.block(m, err, now.Add(wait), now)
		}
		w.meter.retried(m.Topic)
		w.putBack(m, now.Add(wait), now)
	default:
		w.putBack(m, time.Time{}, now)
	}
	return v
}

func firstOf(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}

// block notes that a record holds up its partition (OrderStrict).
func (w *Worker) block(m *Message, err error, next, now time.Time) {
	p := m.part
	if p.blocked == nil {
		p.blocked = &Pause{Reason: PauseBlocked, Since: now}
		w.cfg.Logger.Warn("a record blocks its partition", "group", w.cfg.Group,
			"record", event.Position(m.Topic, m.Partition, m.Offset), "error", err)
	}
	p.blocked.Err = event.Position(m.Topic, m.Partition, m.Offset) + ": " + err.Error()
	p.blocked.Next = next
}

// putBack returns a message to the queue, or forgets it when its partition is no
// longer ours: then it is neither done nor committed, and read again by whoever has
// the partition.
func (w *Worker) putBack(m *Message, due, now time.Time) {
	m.part.active--
	if m.part.draining || m.part.gone {
		m.state = finished
		w.breaker.forget(m)
		w.queue.release(m, now)
	} else {
		m.state = waiting
		m.part.queued++
		w.queue.putBack(m, due, now)
	}
	w.changed.Broadcast()
}

// writeResults writes the records of an outcome and then finishes its messages.
func (w *Worker) writeResults(ms []*Message, o Outcome) {
	for _, r := range o.records {
		w.address(r, ms[0])
	}
	w.produceAll(o.records, func(err error) {
		switch {
		case errors.Is(err, errGivenUp):
			w.abandon(ms)
		case err != nil:
			err = &Error{Class: Poison, Stage: "produce", Err: err}
			for _, m := range ms {
				w.calls.Go(func() { w.failSettled(m, err) })
			}
		default:
			w.finish(ms, o)
		}
	})
}

// finish marks messages as done: their offsets may be committed.
func (w *Worker) finish(ms []*Message, o Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, r := range o.records {
		w.meter.wrote(r.Topic)
	}
	for _, m := range ms {
		if o.kind == outcomeFiltered {
			w.meter.filtered(m.Topic)
		}
		w.finishOne(m, now)
	}
	w.kick()
}

func (w *Worker) finishOne(m *Message, now time.Time) {
	m.state = finished
	m.part.active--
	m.part.blocked = nil
	w.breaker.forget(m)
	w.queue.release(m, now)
	if !m.part.gone && m.part.tracker.finish(m.number) {
		select {
		case w.commitCh <- struct{}{}:
		default:
		}
	}
	w.changed.Broadcast()
}

// abandon lets go of messages whose writes were given up while stopping.
func (w *Worker) abandon(ms []*Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range ms {
		w.putBack(m, time.Time{}, time.Now())
	}
}

// failSettled handles a failure that came after a message's outcome.
func (w *Worker) failSettled(m *Message, err error) {
	w.mu.Lock()
	if m.part.gone {
		w.putBack(m, time.Time{}, time.Now())
		w.mu.Unlock()
		return
	}
	v := w.judge(m, err, time.Now())
	w.mu.Unlock()
	if v == deadLetter {
		w.deadLetter(m, err)
	} else {
		w.kick()
	}
}

// address fills in what an outcome's record leaves to the worker. See Done.
func (w *Worker) address(r *kgo.Record, m *Message) {
	if r.Timestamp.IsZero() {
		r.Timestamp = m.Timestamp
	}
	r.Partition = byKey
	if string(r.Key) == string(m.Key) && (r.Key == nil) == (m.Key == nil) {
		r.Partition = m.Identity.Partition
	}
	r.Context = context.Background()
}
