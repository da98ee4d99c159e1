package share

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Partition is one partition of a topic as one share group sees it. It is not safe
// for concurrent use: the caller has a lock around it.
type Partition struct {
	cfg  Config
	base time.Time // times within are since then

	start, end int64
	runs       []run
	members    []string // by index; "" = free
	held       []int    // runs of each member

	open, done int64 // records that are acquired, available or dying; finished ones
	wake       int64 // when a Tick is due; 0 = never
	breaker    breaker
	buryAt     int64 // dead letters are not tried before; 0 = they may be
	dead       int64

	// What the Step that runs began with, to be taken back.
	prior prior
	// acks and touched belong to a Step.
	acks    []verdict
	touched []span
	write   Write
	out     Effects
}

// prior is what a refused Write takes back.
type prior struct {
	runs       []run // the buffer that the next rewrite uses
	start, end int64
	breaker    breaker
	dead       int64
	valid      bool
}

// New makes a share-partition that begins at start. now is the base of its clock.
func New(cfg Config, now time.Time, start int64) *Partition {
	return &Partition{cfg: cfg, base: now, start: start, end: start}
}

// SetConfig changes the configs. They hold from the next Step on; a Tick applies
// them to what is there.
func (p *Partition) SetConfig(cfg Config) { p.cfg = cfg }

// Step takes one event and says what to do about it.
func (p *Partition) Step(now time.Time, e Event) *Effects {
	p.out = Effects{Acquired: p.out.Acquired[:0]}
	if a, ok := e.(Appended); ok {
		if a.Err != nil {
			p.takeBack()
		}
		p.prior.valid = false
		return &p.out
	}
	p.touched = p.touched[:0]
	p.prior.start, p.prior.end, p.prior.breaker, p.prior.dead = p.start, p.end, p.breaker, p.dead
	p.prior.valid = false
	t := p.since(now)
	switch e := e.(type) {
	case Acquire:
		p.acquire(t, &e)
	case Acknowledge:
		p.acknowledge(t, &e)
	case Leave:
		p.leave(t, e)
	case LogStart:
		p.logStart(e.Offset)
	case Tick:
		p.tick(t)
	case Buried:
		p.buried(t, e)
	case BuryFailed:
		p.buryFailed(t, e)
	default:
		panic(fmt.Sprintf("share: unknown event %T", e))
	}
	return &p.out
}

// since is now on the machine's clock; it is never 0, which stands for no time.
func (p *Partition) since(now time.Time) int64 { return max(1, int64(now.Sub(p.base))) }

// after is a moment that lies so far ahead.
func after(t int64, d time.Duration) int64 {
	if int64(d) > math.MaxInt64-t {
		return math.MaxInt64
	}
	return t + int64(d)
}

// wall is a time of the machine's clock in ms since 1970; 0 stays 0.
func (p *Partition) wall(t int64) int64 {
	if t == 0 {
		return 0
	}
	return p.base.Add(time.Duration(t)).UnixMilli()
}

// clock is the other way round. What has passed is the first moment.
func (p *Partition) clock(ms int64) int64 {
	if ms == 0 {
		return 0
	}
	return max(1, int64(time.UnixMilli(ms).Sub(p.base)))
}

// rewrite begins to make the runs anew: the caller pushes all of them to what it
// gets, and gives them to rewritten.
func (p *Partition) rewrite() []run { return p.prior.runs[:0] }

// rewritten puts new runs in place. The old ones are kept until it is known whether
// the log takes the change.
func (p *Partition) rewritten(rs []run) {
	p.prior.runs, p.runs = p.runs, rs
	p.prior.valid = true
	p.settle()
}

// takeBack undoes the last Step.
func (p *Partition) takeBack() {
	if !p.prior.valid {
		return
	}
	p.runs, p.prior.runs = p.prior.runs, p.runs
	p.start, p.end, p.breaker, p.dead = p.prior.start, p.prior.end, p.prior.breaker, p.prior.dead
	p.settle()
	p.out.Wake = true
}

// settle drops what is finished at the start, and sums up.
func (p *Partition) settle() {
	n := 0
	for n < len(p.runs) && (p.runs[n].state.finished() || p.runs[n].last < p.start) {
		p.start = max(p.start, p.runs[n].last+1)
		n++
	}
	if n > 0 {
		p.runs = slices.Delete(p.runs, 0, n)
	}
	if len(p.runs) > 0 && p.runs[0].first < p.start {
		p.runs[0].first = p.start
	}
	p.end = max(p.end, p.start)
	p.open, p.done, p.wake = 0, 0, 0
	clear(p.held)
	for i := range p.runs {
		r := &p.runs[i]
		if r.state.finished() {
			p.done += r.size()
			continue
		}
		p.open += r.size()
		if r.member != none {
			p.held[r.member]++
		}
		if r.lock != 0 && (r.state == Acquired || r.state == Available) {
			p.wakeAt(r.lock)
		}
	}
	if p.breaker.until != 0 {
		p.wakeAt(p.breaker.until)
	}
}

func (p *Partition) wakeAt(t int64) {
	if p.wake == 0 || t < p.wake {
		p.wake = t
	}
}

// Deadline is when the next Tick is due; the zero time when none is.
func (p *Partition) Deadline() time.Time {
	if p.wake == 0 {
		return time.Time{}
	}
	return p.base.Add(time.Duration(p.wake))
}

// Info tells how it stands.
func (p *Partition) Info() Info {
	in := Info{Start: p.start, End: p.end, Done: p.done, Dead: p.dead, Paused: p.breaker.why}
	if p.breaker.until != 0 {
		in.Until = p.base.Add(time.Duration(p.breaker.until))
	}
	for i := range p.runs {
		switch r := &p.runs[i]; r.state {
		case Acquired:
			in.Acquired += r.size()
		case Available, Dying:
			in.Waiting += r.size()
		}
	}
	return in
}

// memberIndex is the index of a member, which is made known if it was not.
func (p *Partition) memberIndex(id string) int32 {
	free := -1
	for i, m := range p.members {
		if m == id && m != "" {
			return int32(i)
		}
		if free < 0 && p.held[i] == 0 {
			free = i
		}
	}
	if free < 0 {
		p.members, p.held = append(p.members, id), append(p.held, 0)
		return int32(len(p.members) - 1)
	}
	p.members[free] = id
	return int32(free)
}

// findMember is memberIndex for one that should be known; none when it is not.
func (p *Partition) findMember(id string) int32 {
	if i := slices.Index(p.members, id); i >= 0 && id != "" {
		return int32(i)
	}
	return none
}

// Holds says whether the member has acquired anything.
func (p *Partition) Holds(member string) bool {
	i := p.findMember(member)
	return i != none && p.held[i] > 0
}
