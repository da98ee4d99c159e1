package plog

import (
	"fmt"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// txnWalk follows the transactions of a log through its batches, in order, as a replay
// does: what it has seen is what the log has to remember.
type txnWalk struct {
	open    map[int64]int64 // first offsets, by producer
	seen    map[int64]openTxn
	aborted []AbortedTxn
	broken  bool // batches were missing, or are not known to be all
}

// openTxn is what a walk knows of a producer that has written transactions.
type openTxn struct {
	open        int64
	epoch       int16
	coordinator int32
}

func newTxnWalk() *txnWalk { return &txnWalk{open: map[int64]int64{}, seen: map[int64]openTxn{}} }

func (w *txnWalk) batch(b kafka.Batch) error {
	if !b.Transactional() {
		return nil
	}
	id := b.ProducerID()
	first, open := w.open[id]
	m, ends, err := b.Marker()
	switch {
	case err != nil:
		return err
	case !ends && !open:
		w.open[id] = b.BaseOffset()
	case ends:
		delete(w.open, id)
		if open && !m.Commit {
			stable := b.BaseOffset() + 1
			for _, f := range w.open {
				stable = min(stable, f)
			}
			w.aborted = append(w.aborted, AbortedTxn{id, first, b.BaseOffset(), stable})
		}
	}
	st := openTxn{open: -1, epoch: b.ProducerEpoch(), coordinator: -1}
	if had, ok := w.seen[id]; ok {
		st.coordinator = had.coordinator
	}
	if first, open := w.open[id]; open {
		st.open = first
	}
	if ends {
		st.coordinator = max(st.coordinator, m.CoordinatorEpoch)
	}
	w.seen[id] = st
	return nil
}

// wrong compares what the log remembers with the walk over all of it.
func (w *txnWalk) wrong(l *Log, st *logState) (out []string) {
	for i := range st.segs {
		w.broken = w.broken || st.segs[i].size < st.segs[i].end // the rest is in the tail
	}
	if w.broken {
		return nil
	}
	for _, p := range st.pids {
		switch first, open := w.open[p.id]; {
		case p.open < 0 && open:
			out = append(out, fmt.Sprintf("a transaction of producer %d is open from offset %d on, which is not remembered", p.id, first))
		case p.open >= st.start && (!open || first != p.open):
			out = append(out, fmt.Sprintf("no transaction of producer %d is open from offset %d on, though it is remembered", p.id, p.open))
		}
	}
	var have []AbortedTxn
	byMarker := map[int64]AbortedTxn{}
	for i := range st.segs {
		as, err := l.readAborted(&st.segs[i])
		if err != nil {
			return append(out, fmt.Sprintf("transaction index of segment %d: %v", st.segs[i].base, err))
		}
		have = append(have, as...)
		for _, a := range as {
			byMarker[a.Last] = a
		}
	}
	for _, a := range w.aborted {
		// Compaction and retention may have taken data: then the walk sees less of it than
		// there was.
		if h, ok := byMarker[a.Last]; !ok || h.ProducerID != a.ProducerID || h.First > a.First {
			out = append(out, fmt.Sprintf("the aborted transaction of producer %d at offsets %d to %d is not in the transaction index", a.ProducerID, a.First, a.Last))
		}
	}
	if exact := len(st.segs) > 0 && st.segs[0].base == 0 && !slices.ContainsFunc(st.segs, func(s segment) bool { return s.gen > 0 }); exact && !slices.Equal(have, w.aborted) {
		out = append(out, fmt.Sprintf("the transaction indexes have %d entries that are not those of the log's %d aborted transactions", len(have), len(w.aborted)))
	}
	return out
}

// rebuildTxns makes what the log remembers of transactions anew from its batches, when
// some of them are lost: a repair calls it. A transaction whose end is lost is open
// again. Called with mu held and nobody else around.
func (l *Log) rebuildTxns(w *txnWalk) {
	for id, p := range l.pids {
		p.open = -1
		if st, ok := w.seen[id]; ok {
			p.open, p.coordinator = st.open, max(p.coordinator, st.coordinator)
		}
	}
	for id, first := range w.open {
		if l.pids[id] == nil {
			l.pids.of(id, w.seen[id].epoch).open = first
		}
	}
	l.restoreTxns()
}
