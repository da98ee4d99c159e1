package txn

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// init gives a transactional id its producer id and next epoch, which fences whoever
// had it before (KIP-98), or lets that one go on (KIP-360).
func (c *Coordinator) init(e Init) {
	fail := func(err *kerr.Error) { c.reply(e.Token, InitAnswer{err.Code, -1, -1}) }
	if e.TimeoutMillis <= 0 || int64(e.TimeoutMillis) > c.cfg.MaxTimeout.Milliseconds() {
		fail(kerr.InvalidTransactionTimeout)
		return
	}
	t := c.txns[e.ID]
	if t == nil {
		t = &txn{id: e.ID, producerID: -1, previousID: -1, nextID: -1, epoch: noEpoch, lastEpoch: -1, started: -1}
	}
	goesOn := e.ProducerID >= 0
	if goesOn && t.epoch != noEpoch && e.ProducerID != t.producerID && !(e.ProducerID == t.previousID && e.Epoch >= math.MaxInt16-1) {
		fail(kerr.ProducerFenced)
		return
	}
	switch {
	case t.prepared():
		fail(kerr.ConcurrentTransactions)
		return
	case t.state == Ongoing:
		// Its epoch is never told to anybody: when the abort is through the client comes
		// again and gets the next one.
		why := another
		if goesOn && e.Epoch == t.epoch && e.ProducerID == t.producerID {
			why = itself
		}
		c.fence(t, why, func(err error) {
			code := kerr.ConcurrentTransactions.Code
			if err != nil {
				code = codeOf(err)
			}
			c.reply(e.Token, InitAnswer{code, -1, -1})
		})
		return
	}
	next := *t
	next.state, next.timeout, next.partitions, next.fenced = Empty, e.TimeoutMillis, nil, false
	next.updated, next.started, next.nextID = c.now.UnixMilli(), -1, -1
	switch {
	case t.epoch == noEpoch || t.exhausted() && (!goesOn || e.Epoch == t.epoch):
		id, err := c.cfg.NewProducerID()
		if err != nil {
			c.note(e.ID, "no producer id: %v", err)
			c.reply(e.Token, InitAnswer{codeOf(err), -1, -1})
			return
		}
		next.previousID, next.producerID, next.epoch, next.lastEpoch = t.producerID, id, 0, -1
		if goesOn {
			next.lastEpoch = t.epoch
		}
	case !goesOn:
		next.epoch, next.lastEpoch = t.epoch+1, -1
	case e.Epoch == t.epoch && e.ProducerID == t.producerID:
		next.epoch, next.lastEpoch = t.epoch+1, t.epoch
	case t.lastEpoch >= 0 && e.Epoch == t.lastEpoch && t.state != Empty:
		// It comes again after the abort of its own transaction: the epoch is new already.
		next.epoch, next.lastEpoch = t.epoch, t.lastEpoch
	case t.lastEpoch >= 0 && e.Epoch == t.lastEpoch:
		// The answer to the first try was lost.
		c.whenShown(t.lastWrite, func(err error) { c.reply(e.Token, initAnswer(err, t.producerID, t.epoch)) })
		return
	default:
		fail(kerr.ProducerFenced)
		return
	}
	c.change(next, Write{}, func(err error) { c.reply(e.Token, initAnswer(err, next.producerID, next.epoch)) })
}

func initAnswer(err error, id int64, epoch int16) InitAnswer {
	if err != nil {
		return InitAnswer{codeOf(err), -1, -1}
	}
	return InitAnswer{0, id, epoch}
}

// mine says whether a producer may act for a transactional id.
func mine(t *txn, producerID int64, epoch int16) *kerr.Error {
	switch {
	case t == nil || t.producerID != producerID:
		return kerr.InvalidProducerIDMapping
	case t.epoch != epoch:
		return kerr.ProducerFenced
	case t.prepared():
		return kerr.ConcurrentTransactions
	}
	return nil
}

// add adds partitions to the transaction, or looks whether they are in it.
func (c *Coordinator) add(e Add) {
	t := c.txns[e.ID]
	if err := mine(t, e.ProducerID, e.Epoch); err != nil {
		c.reply(e.Token, AddAnswer{Code: err.Code})
		return
	}
	if e.Verify {
		codes := make([]int16, len(e.Partitions))
		for i, p := range e.Partitions {
			if !t.has(p) {
				codes[i] = kerr.TransactionAbortable.Code
			}
		}
		c.whenShown(t.lastWrite, func(err error) { c.reply(e.Token, AddAnswer{codeOf(err), codes}) })
		return
	}
	if t.state == Ongoing && !slices.ContainsFunc(e.Partitions, func(p Partition) bool { return !t.has(p) }) {
		c.whenShown(t.lastWrite, func(err error) { c.reply(e.Token, AddAnswer{Code: codeOf(err)}) })
		return
	}
	next := t.with(e.Partitions, c.now.UnixMilli(), e.V2)
	if c.tooMany(&next) {
		c.reply(e.Token, AddAnswer{Code: kerr.PolicyViolation.Code})
		return
	}
	c.change(next, Write{}, func(err error) { c.reply(e.Token, AddAnswer{Code: codeOf(err)}) })
}

func (c *Coordinator) tooMany(t *txn) bool {
	return c.cfg.MaxPartitions > 0 && len(t.partitions) > c.cfg.MaxPartitions
}

// enter lets data into a partition.
func (c *Coordinator) enter(e Enter) {
	t := c.txns[e.ID]
	if err := mine(t, e.ProducerID, e.Epoch); err != nil {
		c.reply(e.Token, EnterAnswer{err.Code})
		return
	}
	switch {
	case t.has(e.Partition):
		c.reply(e.Token, EnterAnswer{})
	case !e.Implicit:
		c.reply(e.Token, EnterAnswer{kerr.InvalidTxnState.Code})
	default:
		next := t.with([]Partition{e.Partition}, c.now.UnixMilli(), true)
		if c.tooMany(&next) {
			c.reply(e.Token, EnterAnswer{kerr.PolicyViolation.Code})
			return
		}
		c.change(next, Write{With: e.Token}, nil)
	}
}
