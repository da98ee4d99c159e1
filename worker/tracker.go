package worker

// tracker knows of one partition which records were read, which of them are done,
// and so what may be committed: only the done records before the first that is not.
// It is pure; offsets may have gaps (compaction, transaction markers).
//
//	read:      10 11 12 14 15 16
//	done:      x  x     x     x      commitable: 12 (10 and 11 are done)
//	committed: 11                    in flight: 11 12 14 15 16
type tracker struct {
	entries []tracked // not yet committed, in the order of their offsets
	first   uint64    // number of entries[0]
	done    int       // how many of entries, from the front, are done without a gap
	bytes   int64     // of all entries
}

type tracked struct {
	offset int64
	epoch  int32 // leader epoch, committed with the offset (KIP-320)
	bytes  int32
	done   bool
}

// add takes a record that was read and returns its number, for finish.
func (t *tracker) add(offset int64, epoch int32, bytes int) uint64 {
	t.entries = append(t.entries, tracked{offset: offset, epoch: epoch, bytes: int32(bytes)})
	t.bytes += int64(bytes)
	return t.first + uint64(len(t.entries)-1)
}

// finish marks a record as done. It tells whether more may be committed now.
func (t *tracker) finish(number uint64) bool {
	t.entries[number-t.first].done = true
	before := t.done
	for t.done < len(t.entries) && t.entries[t.done].done {
		t.done++
	}
	return t.done > before
}

// commitable returns the offset to commit (the one after the last record of the
// done prefix) and that record's epoch; ok is false when there is nothing new.
func (t *tracker) commitable() (offset int64, epoch int32, ok bool) {
	if t.done == 0 {
		return 0, 0, false
	}
	last := t.entries[t.done-1]
	return last.offset + 1, last.epoch, true
}

// committed forgets the records below an offset whose commit was acknowledged.
func (t *tracker) committed(offset int64) {
	n := 0
	for n < t.done && t.entries[n].offset < offset {
		t.bytes -= int64(t.entries[n].bytes)
		n++
	}
	t.entries = t.entries[n:]
	t.first += uint64(n)
	t.done -= n
}

// len is how many records are read and not committed.
func (t *tracker) len() int { return len(t.entries) }
