package txn

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// writes are the Writes on their way to the disk, and the answers that wait for them.
type writes struct {
	last    uint64 // ID given last
	durable uint64 // every Write up to this one is on disk
	failed  error  // a flush failed: nothing becomes durable any more
	flying  []flying
	held    []held // in order of the Write they wait for
}

type flying struct {
	id    uint64
	apply func(id uint64)
	done  func(error)
}

type held struct {
	id uint64
	f  func(error)
}

// write asks for a unit. apply runs when it is appended, done (may be nil) when it is
// durable or when that has failed or was refused.
func (c *Coordinator) write(id string, w Write, apply func(id uint64), done func(error)) {
	c.writes.last++
	w.ID = c.writes.last
	c.writes.flying = append(c.writes.flying, flying{w.ID, apply, done})
	c.out.Writes = append(c.out.Writes, w)
}

// change is write for the new value of a transactional id.
func (c *Coordinator) change(next txn, w Write, done func(error)) {
	w.Records = []Record{next.record()}
	c.write(next.id, w, func(id uint64) {
		next.lastWrite = id
		t := c.txns[next.id]
		if t == nil {
			t = &txn{}
			c.txns[next.id] = t
		}
		next.wakeAt = t.wakeAt
		if next.prepared() {
			c.prepared[next.id] = true
		} else {
			delete(c.prepared, next.id)
		}
		opens := next.state == Ongoing && (t.state != Ongoing || t.started != next.started)
		*t = next
		if opens {
			t.said = false
			c.wake(t, t.deadline())
		}
	}, done)
}

func (c *Coordinator) appended(e Appended) {
	w := &c.writes
	for i := range w.flying {
		if w.flying[i].id != e.ID {
			continue
		}
		f := w.flying[i]
		if e.Err == nil {
			f.apply(f.id)
			return
		}
		w.flying = append(w.flying[:i], w.flying[i+1:]...)
		if f.done != nil {
			f.done(e.Err)
		}
		return
	}
}

func (c *Coordinator) durable(e Durable) {
	w := &c.writes
	if e.Err != nil {
		w.failed = e.Err
		e.ID = w.last // what was held for the failed Writes is answered, too
	} else if w.failed == nil {
		w.durable = max(w.durable, e.ID)
	}
	n := 0
	for n < len(w.flying) && w.flying[n].id <= e.ID {
		n++
	}
	done := w.flying[:n:n]
	w.flying = w.flying[n:]
	n = 0
	for n < len(w.held) && w.held[n].id <= e.ID {
		n++
	}
	shown := w.held[:n:n]
	w.held = w.held[n:]
	for _, f := range done {
		if f.done != nil {
			f.done(e.Err)
		}
	}
	for _, h := range shown {
		h.f(e.Err)
	}
}

// whenShown runs f when the Write is durable: at once if it is.
func (c *Coordinator) whenShown(id uint64, f func(error)) {
	w := &c.writes
	switch {
	case id <= w.durable || len(w.flying) == 0 && w.failed == nil:
		f(nil)
	case w.failed != nil:
		f(w.failed)
	default:
		// The Write last flying stands for id when a later one was refused.
		if last := w.flying[len(w.flying)-1].id; id > last {
			id = last
		}
		i := len(w.held)
		for i > 0 && w.held[i-1].id > id {
			i--
		}
		w.held = append(w.held, held{})
		copy(w.held[i+1:], w.held[i:])
		w.held[i] = held{id, f}
	}
}

// codeOf is what a client is told about a failed append, as Kafka's coordinator
// translates it: clients look for the coordinator again and retry.
func codeOf(err error) int16 {
	if err == nil {
		return 0
	}
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return kerr.UnknownServerError.Code
	}
	switch ke {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable.Code
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator.Code
	case kerr.MessageTooLarge, kerr.RecordListTooLarge:
		return kerr.UnknownServerError.Code
	}
	return ke.Code
}
