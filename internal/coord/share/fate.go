package share

import "slices"

// What becomes of records that were not accepted.

// handBack makes a run available that has not failed.
func (p *Partition) handBack(r *run) {
	r.state, r.member, r.lock, r.kept = Available, none, 0, false
}

// failed counts a failed delivery: the records are available again, after their
// back-off, or have failed too often.
func (p *Partition) failed(t int64, r *run) {
	r.failed = counter(r.failed)
	if int(r.failed) >= p.cfg.DeliveryLimit {
		p.die(r, Exhausted)
		return
	}
	p.handBack(r)
	if d := p.cfg.backoff(int(r.failed)); d > 0 {
		r.lock = after(t, d)
	}
}

// die ends a run's deliveries: it is archived, at once or when its dead letters are
// written.
func (p *Partition) die(r *run, why Cause) {
	r.member, r.lock, r.kept = none, 0, false
	if !p.cfg.DeadLetters {
		r.state = Archived
		return
	}
	r.state, r.cause = Dying, why
}

// each makes the runs anew, with fn applied to each; those for which it returns true
// make the Write of this Step.
func (p *Partition) each(t int64, fn func(r *run) bool) {
	var dead int64
	out := p.rewrite()
	for _, r := range p.runs {
		if fn(&r) {
			p.touched = append(p.touched, span{r.first, r.last})
			p.out.Wake = p.out.Wake || r.state == Available
			if r.state == Archived {
				dead += r.size()
			}
		}
		out = push(out, r)
	}
	open := p.open
	p.rewritten(out)
	// Whoever was held up by the cap may go on, also when nothing came back.
	p.out.Wake = p.out.Wake || p.open < open && open >= int64(p.cfg.MaxLocks)
	if len(p.touched) > 0 {
		p.outcome(t, 0, dead)
		p.change()
	}
}

// leave takes back what a member holds.
func (p *Partition) leave(t int64, e Leave) {
	who := p.findMember(e.Member)
	if who == none || p.held[who] == 0 {
		return
	}
	p.each(t, func(r *run) bool {
		if r.member != who || e.Lost && r.kept {
			return false
		}
		if e.Lost {
			p.failed(t, r)
		} else {
			p.handBack(r)
		}
		return true
	})
}

// tick does what is due: locks and back-offs that end, the breaker's rest, and what a
// change of the configs makes of those that wait.
func (p *Partition) tick(t int64) {
	p.rested(t)
	due := false
	for i := range p.runs {
		r := &p.runs[i]
		switch {
		case r.lock != 0 && r.lock <= t,
			r.state == Available && int(r.failed) >= p.cfg.DeliveryLimit,
			r.state == Dying && !p.cfg.DeadLetters:
			due = true
		}
	}
	if !due {
		p.settle()
		return
	}
	p.each(t, func(r *run) bool {
		switch {
		case r.state == Acquired && r.lock <= t:
			p.failed(t, r)
		case r.state == Available && int(r.failed) >= p.cfg.DeliveryLimit:
			p.die(r, Exhausted)
		case r.state == Dying && !p.cfg.DeadLetters:
			r.state = Archived
		case r.state == Available && r.lock != 0 && r.lock <= t:
			r.lock = 0
			p.out.Wake = true
			return false // that its time has come need not be written
		default:
			return false
		}
		return true
	})
}

// logStart finishes what is no more in the log. It is written with the next change.
func (p *Partition) logStart(offset int64) {
	if offset <= p.start {
		return
	}
	p.forget(offset)
	p.out.Wake = true
}

// forget lets everything begin at offset: what is below is finished.
func (p *Partition) forget(offset int64) {
	out := p.rewrite()
	for _, r := range p.runs {
		if r.last < offset {
			continue
		}
		r.first = max(r.first, offset)
		out = push(out, r)
	}
	p.start = offset
	p.rewritten(out)
}

// Dying are records of which dead letters are to be written now, at most so many,
// all in one range of one cause and count. ok is false when there are none.
func (p *Partition) Dying(most int64) (d Dead, ok bool) {
	if p.buryAt != 0 {
		return Dead{}, false
	}
	for i := range p.runs {
		if r := &p.runs[i]; r.state == Dying {
			return Dead{r.first, min(r.last, r.first+most-1), max(1, r.acquired), r.cause}, true
		}
	}
	return Dead{}, false
}

// Unburied says why there are records that are Dying while Dying has none: their dead
// letters could not be written, and are tried again later. "" when there are none.
func (p *Partition) Unburied() string {
	if p.buryAt != 0 && slices.ContainsFunc(p.runs, func(r run) bool { return r.state == Dying }) {
		return p.breaker.why
	}
	return ""
}

func (p *Partition) buried(t int64, e Buried) {
	var dead int64
	out := p.rewrite()
	for _, r := range p.runs {
		if r.state != Dying || r.last < e.First || r.first > e.Last {
			out = push(out, r)
			continue
		}
		out = cut(out, &r, e.First)
		rest := r
		r.last = min(r.last, e.Last)
		r.state = Archived
		dead += r.size()
		p.touched = append(p.touched, span{r.first, r.last})
		out = push(out, r)
		if rest.last > e.Last {
			rest.first = e.Last + 1
			out = push(out, rest)
		}
	}
	open := p.open
	p.rewritten(out)
	p.out.Wake = open >= int64(p.cfg.MaxLocks)
	p.outcome(t, 0, dead)
	p.change()
}

// buryFailed pauses the delivery until dead letters are tried again.
func (p *Partition) buryFailed(t int64, e BuryFailed) {
	p.trip(t, "dead letters cannot be written: "+e.Why)
	p.buryAt = p.breaker.until
}
