package share

import "time"

// Next is the first offset that can be acquired: one that waits to be delivered
// again, or the first that never was. ok is false when there is none: all locks are
// taken, or the delivery is paused.
func (p *Partition) Next(now time.Time) (offset int64, ok bool) {
	t := p.since(now)
	if p.paused(t) || p.breaker.half && p.out1() >= p.cfg.probe() {
		return 0, false
	}
	for i := range p.runs {
		if r := &p.runs[i]; r.state == Available && r.lock <= t {
			return r.first, true
		}
	}
	return p.end, p.open < int64(p.cfg.MaxLocks)
}

// out1 counts the records that are acquired.
func (p *Partition) out1() (n int64) {
	for i := range p.runs {
		if p.runs[i].state == Acquired {
			n += p.runs[i].size()
		}
	}
	return n
}

// taking is an Acquire on its way.
type taking struct {
	p     *Partition
	t     int64
	e     *Acquire
	out   []run // the runs that come of it
	batch int   // the first of e.Batches that ends at or behind the present offset
	skip  int   // likewise of e.Skip
	max   int64
	taken int64
	full  bool // no more is taken
	who   int32
	until int64
	keep  bool
}

func (p *Partition) acquire(t int64, e *Acquire) {
	if len(e.Batches) == 0 || e.MaxRecords <= 0 || p.paused(t) {
		return
	}
	a := &taking{p: p, t: t, e: e, out: p.rewrite(), max: int64(e.MaxRecords), who: p.memberIndex(e.Member)}
	if p.breaker.half {
		e.Mode = RecordLimit
		if a.max = min(a.max, p.cfg.probe()-p.out1()); a.max <= 0 {
			return
		}
	}
	a.until, a.keep = after(t, p.cfg.LockDuration), p.cfg.LockDuration > p.cfg.KeepLocks
	end := e.Batches[len(e.Batches)-1].Last // as far as the log was looked at
	for _, r := range p.runs {
		if r.state != Available || r.lock > t || r.last < e.From || r.first > end {
			a.out = push(a.out, r)
			continue
		}
		a.out = cut(a.out, &r, e.From)
		beyond := r
		if r.last = min(r.last, end); beyond.last > end {
			beyond.first = end + 1
		} else {
			beyond.first = beyond.last + 1
		}
		a.again(r)
		if beyond.first <= beyond.last {
			a.out = push(a.out, beyond)
		}
	}
	if from := max(p.end, e.From); from <= end && from == p.end {
		a.fresh(from, end)
	}
	p.rewritten(a.out)
	if a.keep && len(p.out.Acquired) > 0 {
		for _, g := range p.out.Acquired {
			p.touched = append(p.touched, span{g.First, g.Last})
		}
		p.change()
	}
}

// again acquires from a run that was delivered before. What is no more in the log is
// finished.
func (a *taking) again(r run) {
	narrow := a.p.cfg.narrow(int(r.failed), r.size())
	if narrow > 0 && a.taken > 0 {
		a.full = true // it is delivered apart from what has not failed so often
	}
	for r.first <= r.last {
		if a.full || a.taken >= a.max {
			a.out = push(a.out, r)
			return
		}
		piece, there := a.piece(r)
		r.first = piece.last + 1
		if !there {
			piece.state = Archived
			a.out = push(a.out, piece)
			continue
		}
		left := a.max - a.taken
		if narrow > 0 {
			left = min(left, narrow)
		}
		if (narrow > 0 || a.e.Mode == RecordLimit) && piece.size() > left {
			r.first = piece.first + left
			piece.last = r.first - 1
		}
		a.take(piece)
		if narrow > 0 {
			if narrow -= piece.size(); narrow == 0 {
				a.full = true
			}
		}
	}
	if narrow > 0 {
		a.full = true
	}
}

// fresh acquires what was never delivered.
func (a *taking) fresh(from, end int64) {
	room := int64(a.p.cfg.MaxLocks) - a.p.open
	r := run{first: from, last: end, member: none}
	for r.first <= r.last && !a.full && a.taken < a.max && room > 0 {
		piece, there := a.piece(r)
		if !there {
			piece.state = Archived
		} else if left := min(a.max-a.taken, room); a.e.Mode == RecordLimit && piece.size() > left {
			piece.last = piece.first + left - 1
		}
		r.first, a.p.end = piece.last+1, piece.last+1
		if !there {
			a.out = push(a.out, piece)
			continue
		}
		room -= piece.size()
		a.take(piece)
	}
}

// piece cuts off the front of r: what lies in one batch, or in none (compaction, or
// records that the group must not see).
func (a *taking) piece(r run) (front run, there bool) {
	for a.batch < len(a.e.Batches) && a.e.Batches[a.batch].Last < r.first {
		a.batch++
	}
	for a.skip < len(a.e.Skip) && a.e.Skip[a.skip].Last < r.first {
		a.skip++
	}
	front = r
	if a.skip < len(a.e.Skip) {
		s := a.e.Skip[a.skip]
		if s.First <= r.first {
			front.last = min(r.last, s.Last)
			return front, false
		}
		front.last = min(front.last, s.First-1)
	}
	if a.batch == len(a.e.Batches) {
		return front, false
	}
	b := a.e.Batches[a.batch]
	if b.Base > r.first {
		front.last = min(front.last, b.Base-1)
		return front, false
	}
	front.last = min(front.last, b.Last)
	return front, true
}

// take gives a piece, which lies in one batch, to the member.
func (a *taking) take(r run) {
	r.state, r.member, r.lock, r.kept = Acquired, a.who, a.until, a.keep
	r.acquired = counter(r.acquired)
	a.taken += r.size()
	a.out = push(a.out, r)
	got := a.p.out.Acquired
	if n := len(got); n > 0 && got[n-1].Last+1 == r.first && got[n-1].Count == r.acquired &&
		(a.e.Mode == RecordLimit || got[n-1].Last-got[n-1].First+1 < int64(a.e.BatchSize)) {
		got[n-1].Last = r.last
		return
	}
	a.p.out.Acquired = append(got, Got{r.first, r.last, r.acquired})
}
