package worker

import (
	"errors"
)

// settlement is one call of Settle or SettleAll.
type settlement struct {
	messages []*Message
	outcome  Outcome
}

// settleHeld is SettleAll: it queues the outcome, so that results of one key are
// written in the order in which they were settled.
func (w *Worker) settleHeld(ms []*Message, o Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := settlement{outcome: o}
	for _, m := range ms {
		if m.part.w == w && (m.claim() || m.state == working) {
			s.messages = append(s.messages, m)
		}
	}
	if len(s.messages) > 0 && !w.settlerDone {
		w.settlements = append(w.settlements, s)
		w.changed.Broadcast()
	}
}

// claim takes a held message for settlement, once, and only while it is ours.
func (m *Message) claim() bool {
	if m.state != held || m.part.gone {
		return false
	}
	m.part.held--
	m.part.active++
	m.state = settling
	return true
}

// settler carries out settlements in their order, until the worker has drained.
func (w *Worker) settler() {
	for {
		s, ok := w.nextSettlement()
		if !ok {
			return
		}
		switch s.outcome.kind {
		case outcomeFailed:
			for _, m := range s.messages {
				w.failSettled(m, s.outcome.err)
			}
		case outcomeNone:
			w.fail(errors.New("a message was settled with the zero Outcome; use Done, Filtered or Failed"))
			w.abandon(s.messages)
		default:
			w.writeResults(s.messages, s.outcome)
		}
	}
}

// nextSettlement waits for a settlement of which any message is still ours.
func (w *Worker) nextSettlement() (settlement, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.settlements) == 0 && !w.settlerDone {
			w.changed.Wait()
		}
		if len(w.settlements) == 0 {
			return settlement{}, false
		}
		s := w.settlements[0]
		w.settlements = w.settlements[1:]
		kept := s.messages[:0]
		for _, m := range s.messages {
			// Settled from within the call that is about to answer Held: wait for
			// that answer.
			for m.state == working && !m.part.gone && !w.settlerDone {
				w.changed.Wait()
			}
			if m.state == settling || m.claim() {
				kept = append(kept, m)
			}
		}
		if len(kept) > 0 {
			s.messages = kept
			return s, true
		}
	}
}
