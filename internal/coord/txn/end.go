package txn

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// end commits or aborts the open transaction.
func (c *Coordinator) end(e End) {
	t := c.txns[e.ID]
	again, err := t.mayEnd(e)
	if err != nil {
		c.reply(e.Token, EndAnswer{err.Code, -1, -1})
		return
	}
	if again {
		// It was decided like this before, and maybe the answer was lost.
		c.whenShown(t.lastWrite, func(err error) { c.reply(e.Token, endAnswer(err, e.V2, t.producerID, t.epoch)) })
		return
	}
	next, code := c.decided(t, e.Commit, e.V2)
	if code != 0 {
		c.reply(e.Token, EndAnswer{code, -1, -1})
		return
	}
	if t.started < 0 || t.state != Ongoing {
		next.started = c.now.UnixMilli() // nothing was in it
	}
	c.decide(t, next, func(err error) { c.reply(e.Token, endAnswer(err, e.V2, next.told(), next.toldEpoch())) })
}

func endAnswer(err error, v2 bool, id int64, epoch int16) EndAnswer {
	if err != nil {
		return EndAnswer{codeOf(err), -1, -1}
	}
	if !v2 {
		return EndAnswer{0, -1, -1}
	}
	return EndAnswer{0, id, epoch}
}

// mayEnd says whether a request may end the transaction, or has done so before
// (again). Up to version 1 the state tells a retry; from version 2 on the epoch does:
// it is one below the present one (KIP-890).
func (t *txn) mayEnd(e End) (again bool, _ *kerr.Error) {
	if t == nil {
		return false, kerr.InvalidProducerIDMapping
	}
	overflowed := e.V2 && t.previousID == e.ProducerID && e.Epoch == math.MaxInt16-1 && t.epoch == 0
	bumped := e.V2 && t.producerID == e.ProducerID && t.epoch == e.Epoch+1
	same := t.producerID == e.ProducerID && t.epoch == e.Epoch
	if t.fenced && (bumped || overflowed) {
		return false, kerr.ProducerFenced
	}
	if t.producerID != e.ProducerID && !overflowed {
		return false, kerr.InvalidProducerIDMapping
	}
	done, wanted := t.state == CompleteCommit || t.state == PrepareCommit, e.Commit
	switch {
	case t.state == Ongoing && same:
		return false, nil
	case !e.V2 && !same:
		return false, kerr.ProducerFenced
	case t.prepared() && (same && !e.V2 || bumped):
		if done == wanted {
			return false, kerr.ConcurrentTransactions
		}
		return false, kerr.InvalidTxnState
	case t.state == CompleteCommit || t.state == CompleteAbort:
		switch {
		case !same && !bumped && !overflowed:
			return false, kerr.ProducerFenced
		case e.V2 && same:
			// The next transaction, which is empty: only an abort makes sense.
			if e.Commit {
				return false, kerr.InvalidTxnState
			}
			return false, nil
		case done != wanted:
			return false, kerr.InvalidTxnState
		}
		return true, nil
	case t.state == Empty && same:
		if e.V2 && !e.Commit {
			return false, nil
		}
		return false, kerr.InvalidTxnState
	}
	return false, kerr.ProducerFenced
}

// decided is the transaction after a decision by its own producer: prepared, with the
// epoch that the markers carry. The code says why there is none.
func (c *Coordinator) decided(t *txn, commit, v2 bool) (next txn, code int16) {
	next = *t
	next.state = PrepareAbort
	if commit {
		next.state = PrepareCommit
	}
	next.updated, next.nextID, next.fenced = c.now.UnixMilli(), -1, false
	if !v2 {
		return next, 0
	}
	next.version = 2
	if t.exhausted() {
		id, err := c.cfg.NewProducerID()
		if err != nil {
			c.note(t.id, "no producer id: %v", err)
			return next, codeOf(err)
		}
		next.nextID = id
	}
	next.lastEpoch, next.epoch = t.epoch, t.epoch+1
	return next, 0
}

// reason is why a producer is fenced.
type reason int

const (
	// late: its transaction is open for too long. As in Kafka it may still end it, by
	// an abort, and goes on with the epoch that it is told then (KIP-890).
	late reason = iota
	// itself: it begins with its transactional id while a transaction is open. It comes
	// again with the epoch that it knows, and goes on (KIP-360).
	itself
	// another: somebody else begins with the transactional id.
	another
)

// fence aborts the open transaction and fences its producer.
func (c *Coordinator) fence(t *txn, why reason, done func(error)) {
	next, code := c.decided(t, false, true)
	if code != 0 {
		if done != nil {
			done(kerr.ErrorForCode(code))
		}
		return
	}
	next.version, next.lastEpoch, next.fenced = t.version, -1, why == another
	if why == itself {
		next.lastEpoch = t.epoch
	}
	c.decide(t, next, done)
}

// told and toldEpoch are what the producer goes on with after the decision.
func (t *txn) told() int64 {
	if t.nextID >= 0 {
		return t.nextID
	}
	return t.producerID
}

func (t *txn) toldEpoch() int16 {
	if t.nextID >= 0 {
		return 0
	}
	return t.epoch
}

// decide writes a decision with its markers, as one unit. Partitions that cannot be
// written now leave it prepared, and are told after the next start.
func (c *Coordinator) decide(t *txn, next txn, done func(error)) {
	d := Decision{ProducerID: t.producerID, Epoch: next.epoch, Commit: next.state == PrepareCommit}
	var rest []Partition
	if t.state != Ongoing && !t.prepared() {
		next.partitions = nil // of an empty transaction
	}
	for _, p := range next.partitions {
		if c.cfg.Unreachable(p) {
			rest = append(rest, p)
		} else {
			d.Partitions = append(d.Partitions, p)
		}
	}
	next.partitions = rest
	if len(rest) == 0 {
		next.state = CompleteAbort
		if d.Commit {
			next.state = CompleteCommit
		}
		if next.nextID >= 0 {
			next.previousID, next.producerID, next.epoch, next.nextID = next.producerID, next.nextID, 0, -1
		}
	} else if !t.said {
		t.said = true // else a write that is refused says it every moment
		c.note(t.id, "the decision of producer %d cannot be told to %d partitions before they can be written, or are deleted: %v", t.producerID, len(rest), rest)
	}
	c.change(next, Write{Decision: &d}, done)
}

// complete tells a prepared decision to the partitions that do not know it.
func (c *Coordinator) complete(t *txn) {
	for _, p := range t.partitions {
		if !c.cfg.Unreachable(p) {
			c.decide(t, *t, nil)
			c.wake(t, c.now.Add(retryAbort)) // if the write is refused
			return
		}
	}
	if len(t.partitions) == 0 {
		c.decide(t, *t, nil)
	}
}
