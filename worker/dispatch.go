package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// dispatch hands batches to calls until ctx ends.
func (w *Worker) dispatch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := w.startCalls(time.Now())
		timer.Stop()
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-due:
		}
	}
}

// startCalls starts as many calls as there are batches and room for, and returns
// when to look again if nothing happens before (zero: then never).
func (w *Worker) startCalls(now time.Time) (next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.running < w.cfg.Concurrency && !w.produce.waiting() {
		var batch []*Message
		if w.breaker.open {
			if w.breaker.probing {
				return time.Time{} // its end wakes us
			}
			if now.Before(w.breaker.next) {
				return w.breaker.next
			}
			m := w.queue.takeProbe()
			if m == nil {
				return time.Time{} // the next record that comes is the probe
			}
			w.breaker.probing = true
			if w.breaker.askWitness(m) {
				w.queue.putBack(m, m.due, now)
				w.running++
				witness := w.breaker.witness
				w.calls.Go(func() { w.callWitness(witness) })
				continue
			}
			batch = []*Message{m}
		} else if batch, next = w.queue.take(now, w.cfg.Batch.Max, w.cfg.Batch.Wait); batch == nil {
			return next
		}
		for _, m := range batch {
			m.state = working
			m.part.queued--
			m.part.active++
			m.part.handedOut = max(m.part.handedOut, m.number+1)
		}
		w.running++
		probe := w.breaker.open
		w.calls.Go(func() { w.work1(batch, probe) })
	}
	return time.Time{}
}

// work1 takes one batch through its calls: one if all goes well, more when it has
// to be split.
func (w *Worker) work1(batch []*Message, probe bool) {
	defer func() {
		w.mu.Lock()
		w.running--
		if probe {
			w.breaker.probing = false
		}
		w.changed.Broadcast()
		w.mu.Unlock()
		w.kick()
	}()
	// Lanes in which an earlier message of this batch waits for its next try: what
	// follows there must wait behind it.
	stalled := map[*lane]bool{}
	for parts := [][]*Message{batch}; len(parts) > 0; {
		ms := w.stillOurs(parts[0], stalled, probe)
		parts = parts[1:]
		if len(ms) == 0 {
			continue
		}
		outcomes, err := w.call(ms)
		switch {
		case err == nil:
			w.settle(ms, outcomes, stalled)
		case w.mustSplit(ms, err):
			half := len(ms) / 2
			parts = append([][]*Message{ms[:half], ms[half:]}, parts...)
		default:
			outcomes = make([]Outcome, len(ms))
			for i := range outcomes {
				outcomes[i] = Failed(err)
			}
			w.settle(ms, outcomes, stalled)
		}
	}
}

// callWitness asks the backend once more with a record that it has processed
// before. The answer counts, the outcome is thrown away.
func (w *Worker) callWitness(m *Message) {
	outcomes, err := w.call([]*Message{m})
	w.mu.Lock()
	now := time.Now()
	if err == nil && outcomes[0].kind == outcomeFailed {
		err = outcomes[0].err
	}
	switch {
	case err == nil && outcomes[0].kind == outcomeDone, ClassOf(err) == Poison && stageOf(err) == "call":
		w.pauseFor(func() { w.breaker.pass(nil) })
	case err == nil:
		// It is neither done nor failed this time: no answer to go by.
		w.breaker.probeFailed(w.breaker.err, now)
	case w.work.Err() == nil:
		w.meter.failure(err, now)
		w.breaker.probeFailed(err, now)
	}
	w.running--
	w.breaker.probing = false
	w.changed.Broadcast()
	w.mu.Unlock()
	w.kick()
}

// stillOurs puts back what must not be called now and returns the rest.
func (w *Worker) stillOurs(ms []*Message, stalled map[*lane]bool, probe bool) []*Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	stand := w.breaker.open && !probe || w.fatal != nil
	kept := ms[:0:0]
	for _, m := range ms {
		if m.part.gone || stand || stalled[m.lane] {
			w.putBack(m, time.Time{}, now)
		} else {
			kept = append(kept, m)
		}
	}
	return kept
}

// call runs the handler once.
func (w *Worker) call(ms []*Message) (outcomes []Outcome, err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Class: Retriable, Stage: "process", Err: &panicError{value: p, stack: debug.Stack()}}
		}
		if err == nil && len(outcomes) != len(ms) {
			err = NewError(Fatal, fmt.Errorf("the handler answered %d messages with %d outcomes; it must give exactly one per message, in their order", len(ms), len(outcomes)))
		}
		w.meter.call(len(ms), time.Since(start))
	}()
	return w.cfg.Handler.Handle(w.work, ms)
}

// panicError is what a handler's panic becomes.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

// stackOf returns the stack of the panic in err's chain, if there is one.
func stackOf(err error) []byte {
	var p *panicError
	if errors.As(err, &p) {
		return p.stack
	}
	return nil
}

// mustSplit decides about a call that failed as a whole, and tells the breaker of
// it. It returns true when the batch is to be halved so that the guilty records
// come to stand alone.
func (w *Worker) mustSplit(ms []*Message, err error) bool {
	class := ClassOf(err)
	if len(ms) == 1 || class != Retriable && class != Poison {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.meter.failure(err, now)
	if w.work.Err() != nil {
		return false
	}
	if class == Retriable {
		if wait := retryAfter(err); wait > 0 && !anyAsked(ms) {
			// "Come back later" is about the backend. Only when the same records
			// hear it again is one of them suspected.
			for _, m := range ms {
				m.asked = true
			}
			w.pauseFor(func() { w.breaker.askedToWait(err, wait, now) })
			return true // the halves are put back, the breaker being open
		}
		w.breaker.failTogether(ms, now)
	}
	return true
}

func anyAsked(ms []*Message) bool {
	for _, m := range ms {
		if m.asked {
			return true
		}
	}
	return false
}

// pauseFor lets change act on the breaker and logs when that opens or closes it.
func (w *Worker) pauseFor(change func()) {
	before := w.breaker.open
	change()
	switch b := &w.breaker; {
	case b.open && !before:
		w.cfg.Logger.Warn("worker pauses", "group", w.cfg.Group, "reason", string(b.reason), "error", b.err, "next", b.next)
	case !b.open && before:
		w.cfg.Logger.Info("worker goes on", "group", w.cfg.Group, "paused", time.Since(b.since))
		w.kick()
	}
}
