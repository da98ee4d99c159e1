//go:build sim

package sim

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/isolation"
	"github.com/leatdev/leat/internal/sched"
)

// usurp has another producer take the client's transactional id, while the one that has
// it goes on with its transaction as if it did not know. What it does counts until it is
// fenced, and not any more then.
func (c *txnClient) usurp(t *sentTxn) {
	zombie := *c
	var both sched.WaitGroup
	both.Go(func() { zombie.goOn(t) })
	c.init()
	both.Wait()
}

// goOn sends and commits as a producer that may be fenced by now.
func (c *txnClient) goOn(t *sentTxn) {
	r := c.r
	for range sched.Draw(3) {
		pause()
		if !c.send(t, int32(sched.Draw(txnPartitions))) && sched.Draw(2) == 0 {
			return
		}
	}
	pause()
	if len(t.records) == 0 {
		return // nobody would ask
	}
	if t.outcome == txnOpen { // else it has been found to be aborted: it must stay so
		t.outcome = txnCommitting
	}
	done := sched.NewEvent()
	var got txn.EndAnswer
	c.end(t, true, func(a txn.EndAnswer) { got = a; done.Set() })
	done.Wait()
	r.hist.note("%s: %v for who may be fenced", t.name, kerr.ErrorForCode(got.Code))
	if got.Code != 0 {
		return
	}
	r.stat.Txns++
	r.txns.told.ended(t.n, isolation.Committed)
	if t.outcome == txnAborted {
		r.fail("%s: a producer is told that it is committed, and the next one has found it aborted", t.name)
	}
	t.outcome = txnCommitted
}
