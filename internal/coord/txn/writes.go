package txn

import "github.com/leatdev/leat/internal/coord/ledger"

// write asks for a unit. apply runs when it is appended, done (may be nil) when it is
// durable or when that has failed or was refused.
func (c *Coordinator) write(w Write, apply func(id uint64), done func(error)) {
	w.ID = c.writes.Add(apply, done)
	c.out.Writes = append(c.out.Writes, w)
}

// change is write for the new value of a transactional id.
func (c *Coordinator) change(next txn, w Write, done func(error)) {
	w.Records = []Record{next.record()}
	c.write(w, func(id uint64) {
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
	apply, refused, ok := c.writes.Appended(e.ID, e.Err)
	switch {
	case ok && e.Err == nil:
		apply(e.ID)
	case refused != nil:
		refused(e.Err)
	}
}

// whenShown runs f when the Write is durable: at once if it is.
func (c *Coordinator) whenShown(id uint64, f func(error)) { c.writes.When(id, f) }

// codeOf is what a client is told about a failed append.
func codeOf(err error) int16 { return ledger.Code(err) }
