//go:build sim

package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/leatdev/leat/internal/isolation"
)

// told is what the transactional clients and the readers of committed data did and were
// told, for the search for cycles. What a crash cuts short has no end in it.
type told struct {
	h    isolation.History
	tick time.Duration // each start and each end has a moment of its own
}

func (w *told) now() time.Duration {
	w.tick++
	return w.tick
}

func (w *told) begun() isolation.Span { return isolation.Span{Start: w.now(), End: isolation.Never} }

func txnKey(p int32) string { return fmt.Sprintf("%s-%d", txnTopic, p) }

// fence notes an InitProducerId that is asked for; fenced its answer.
func (w *told) fence(c *txnClient) int {
	w.h.Inits = append(w.h.Inits, isolation.Init{Span: w.begun(), Client: fmt.Sprintf("client %d", c.n), ID: fmt.Sprintf("id%d", c.n), Order: -1})
	return len(w.h.Inits) - 1
}

func (w *told) fenced(i int, producer int64, epoch int16) {
	in := &w.h.Inits[i]
	in.End, in.Order = w.now(), producer<<16|int64(epoch)
}

// transaction notes one that begins, of an incarnation.
func (w *told) transaction(name string, init int) int {
	w.h.Txns = append(w.h.Txns, isolation.Txn{Name: name, Init: init, End: w.begun()})
	return len(w.h.Txns) - 1
}

// ask notes that the end of a transaction is asked for; ended its answer.
func (w *told) ask(txn int) { w.h.Txns[txn].End = w.begun() }

func (w *told) ended(txn int, how isolation.Outcome) {
	w.h.Txns[txn].Outcome, w.h.Txns[txn].End.End = how, w.now()
}

// send notes a record that is sent; sent its answer.
func (w *told) send(txn int, c *txnClient, p int32, id string) int {
	w.h.Sends = append(w.h.Sends, isolation.Send{
		Span: w.begun(), Client: fmt.Sprintf("client %d", c.n), Txn: txn,
		Records: []isolation.Record{{Key: txnKey(p), Offset: -1, Value: id}},
	})
	return len(w.h.Sends) - 1
}

func (w *told) sent(i int, offset int64) {
	w.h.Sends[i].End, w.h.Sends[i].Records[0].Offset = w.now(), offset
}

// stable notes an answer about a last stable offset.
func (w *told) stable(from time.Duration, p int32, at int64) {
	w.h.Stables = append(w.h.Stables, isolation.Stable{
		Span: isolation.Span{Start: from, End: w.now()}, Client: "a reader", Ends: map[string]int64{txnKey(p): at},
	})
}

// read notes what a reader of committed data has got of a partition: values with
// their offsets.
func (w *told) read(from time.Duration, p int32, seen map[string]int64) {
	var rs []isolation.Record
	for _, id := range slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return int(seen[a] - seen[b]) }) {
		rs = append(rs, isolation.Record{Key: txnKey(p), Offset: seen[id], Value: id})
	}
	w.h.Polls = append(w.h.Polls, isolation.Poll{Span: isolation.Span{Start: from, End: w.now()}, Client: "a reader", Txn: isolation.NoTxn, Records: rs})
}

// checkIsolation looks for what transactions may never show in all that was told.
func (r *run) checkIsolation() error {
	if r.txns.ruined {
		return nil
	}
	h := r.txns.told.h
	h.AtOnce = true
	// An InitProducerId without an answer may have fenced, or not.
	at := map[int]int{-1: -1}
	h.Inits = nil
	for i, in := range r.txns.told.h.Inits {
		if in.End != isolation.Never {
			at[i] = len(h.Inits)
			h.Inits = append(h.Inits, in)
		}
	}
	for i := range h.Txns {
		h.Txns[i].Init = at[h.Txns[i].Init]
	}
	report := isolation.Check(h)
	r.stat.Dependencies += report.Edges["wr"] + report.Edges["rw"]
	r.stat.LegalCycles += report.ReadCycles
	if len(report.Findings) > 0 {
		return fmt.Errorf("transactions: %v", report.Findings[0])
	}
	return nil
}
