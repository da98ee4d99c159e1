package group

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// writes are the Writes on their way to the disk, and the answers that wait for
// them.
type writes struct {
	last    uint64 // ID given last
	durable uint64 // every Write up to this one is on disk
	failed  error  // a flush failed: nothing becomes durable any more
	flying  []flying
	held    []held // in order of the Write they wait for
}

type flying struct {
	id    uint64
	group *group
	apply func()
	done  func(error)
}

type held struct {
	id uint64
	f  func(error)
}

// write asks for records to be appended. apply runs when they are (the log has
// an order then, though not yet the disk), done when they are durable or when
// that has failed or was refused. Either may be nil.
func (c *Coordinator) write(g *group, records []Record, apply func(), done func(error)) {
	c.writes.last++
	id := c.writes.last
	g.asked++
	c.writes.flying = append(c.writes.flying, flying{id, g, apply, done})
	c.out.Writes = append(c.out.Writes, Write{ID: id, Records: records})
}

// tooLarge says whether records are more than a client may have written at once.
func (c *Coordinator) tooLarge(records []Record) bool {
	const overhead = 16 // of a record, about; the batch's own is counted once
	n := 61
	for _, r := range records {
		n += len(r.Key) + len(r.Value) + overhead
	}
	return c.cfg.MaxWriteBytes > 0 && n > c.cfg.MaxWriteBytes
}

func (c *Coordinator) appended(e Appended) {
	w := &c.writes
	for i := range w.flying {
		if w.flying[i].id != e.ID {
			continue
		}
		f := w.flying[i]
		f.group.asked--
		c.touch(f.group)
		if e.Err == nil {
			f.group.lastWrite = f.id
			f.group.persisted = true
			if f.apply != nil {
				f.apply()
			}
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
		// What was held for the failed Writes is answered, too: nobody waits for
		// ever.
		e.ID = w.last
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

// whenShown runs f when what is known of g now is durable: at once if it is.
// Without a group it waits for everything: the group may have just been deleted.
func (c *Coordinator) whenShown(g *group, f func(error)) {
	w := &c.writes
	id := w.last
	if g != nil {
		id = g.lastWrite
	}
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

// whenWritten runs f when the newest Write that was asked for after the one with the
// ID before is durable, refused, or has failed: at once when there is none.
func (c *Coordinator) whenWritten(before uint64, f func(error)) {
	w := &c.writes
	if w.last == before {
		f(nil)
		return
	}
	newest := &w.flying[len(w.flying)-1]
	done := newest.done
	newest.done = func(err error) {
		if done != nil {
			done(err)
		}
		f(err)
	}
}

// codeOf is what a client is told about a failed append. Clients of a group do
// not expect the log's own errors; Kafka's coordinator translates likewise, so
// that they look for the coordinator again and retry.
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
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError.Code
	}
	return ke.Code
}
