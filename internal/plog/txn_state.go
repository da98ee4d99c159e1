package plog

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// What a checkpoint of version 2 has behind a log's state: the producers that have
// written transactions, and the sizes of the transaction indexes. A log that had none
// of either has nothing there, as in version 1.

func (st *logState) encodeTxns(b []byte) []byte {
	var pids []pidState
	for _, p := range st.pids {
		if p.open >= 0 || p.coordinator >= 0 {
			pids = append(pids, p)
		}
	}
	var segs []*segment
	for i := range st.segs {
		if st.segs[i].aborts > 0 {
			segs = append(segs, &st.segs[i])
		}
	}
	if len(pids) == 0 && len(segs) == 0 {
		return b
	}
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(len(pids)))
	for _, p := range pids {
		b = appendInts(b, p.id, p.open)
		b = be.AppendUint32(b, uint32(p.coordinator))
	}
	b = be.AppendUint32(b, uint32(len(segs)))
	for _, s := range segs {
		b = appendInts(b, s.base)
		b = be.AppendUint32(b, s.aborts)
	}
	return b
}

// decodeTxns is the other way round. Both lists are in the order of those that they add
// to, producers by id and segments by base offset, and there may be very many.
func (st *logState) decodeTxns(r *reader) {
	i := 0
	for range r.count(int(r.u32()), 20) {
		id, open, coordinator := r.i64(), r.i64(), int32(r.u32())
		for i < len(st.pids) && st.pids[i].id < id {
			i++
		}
		if i < len(st.pids) && st.pids[i].id == id {
			st.pids[i].open, st.pids[i].coordinator = open, coordinator
		}
	}
	i = 0
	for range r.count(int(r.u32()), 12) {
		base, aborts := r.i64(), r.u32()
		for i < len(st.segs) && st.segs[i].base < base {
			i++
		}
		if i < len(st.segs) && st.segs[i].base == base {
			st.segs[i].aborts = aborts
		}
	}
}

// restoreTxns notes the transactions that are open.
func (l *Log) restoreTxns() {
	l.txns.mu.Lock()
	defer l.txns.mu.Unlock()
	l.txns.txns = nil
	for id, p := range l.pids {
		if p.open >= 0 {
			l.txns.txns = append(l.txns.txns, unstableTxn{producer: id, first: p.open, marker: -1})
		}
	}
	slices.SortFunc(l.txns.txns, func(a, b unstableTxn) int { return cmp.Compare(a.first, b.first) })
}
