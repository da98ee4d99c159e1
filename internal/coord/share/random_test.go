package share

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestRandom plays random events against a naive model that has a map entry for each
// offset, and compares all of it after each one. Writes are refused now and then, and
// the machine is made anew from what is durable.
func TestRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		m := newModel(t, seed)
		for m.step = range 150 {
			m.act()
		}
	}
}

// record is one offset in the model. Times are as the machine's.
type record struct {
	state            State
	cause            Cause
	member           string
	lock             time.Time // zero: none
	acquired, failed int16
	kept             bool
}

// model is the machine and the naive one beside it.
type model struct {
	t    *testing.T
	seed uint64
	step int
	what string
	rng  *rand.Rand
	cfg  Config
	now  time.Time
	p    *Partition

	start, end int64
	recs       map[int64]record
	batches    []Batch // of the log
	holes      map[int64]bool
	log        [][2][]byte
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), now: time.UnixMilli(1_700_000_000_000),
		recs: map[int64]record{}, holes: map[int64]bool{}}
	m.cfg = DefaultConfig()
	m.cfg.LockDuration = 10 * time.Second
	m.cfg.BreakerDead = 0
	m.cfg.MaxLocks = 10 + m.rng.IntN(40)
	m.cfg.DeliveryLimit = 2 + m.rng.IntN(5)
	m.cfg.DeadLetters = m.rng.IntN(2) == 0
	if m.rng.IntN(3) == 0 {
		m.cfg.BackoffMin, m.cfg.BackoffMax = time.Second, 5*time.Second
	}
	if m.rng.IntN(3) == 0 {
		m.cfg.LockDuration = 2 * time.Minute
	}
	m.p = New(m.cfg, m.now.Add(-time.Second), 0)
	w := m.p.Snapshot()
	m.log = append(m.log, [2][]byte{AppendSnapshotKey(nil, worldKey), AppendSnapshot(nil, Header{}, &w)})
	m.produce()
	return m
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("seed %d, step %d, %s: %s\nruns %+v", m.seed, m.step, m.what, fmt.Sprintf(format, args...), m.p.runs)
}

// produce appends batches, some with holes before them.
func (m *model) produce() {
	for range 1 + m.rng.IntN(3) {
		at := int64(0)
		if n := len(m.batches); n > 0 {
			at = m.batches[n-1].Last + 1
		}
		if m.rng.IntN(6) == 0 {
			for range 1 + m.rng.IntN(4) {
				m.holes[at] = true
				at++
			}
		}
		m.batches = append(m.batches, Batch{at, at + int64(m.rng.IntN(12))})
	}
}

var members = []string{"a", "b", "c"}

func (m *model) act() {
	member := members[m.rng.IntN(3)]
	switch n := m.rng.IntN(20); {
	case n < 7:
		m.acquire(member)
	case n < 13:
		m.acknowledge(member)
	case n < 14:
		m.leave(member)
	case n < 16:
		m.pass(time.Duration(m.rng.IntN(8000)) * time.Millisecond)
	case n < 17:
		m.logStart()
	case n < 18:
		m.crash()
	default:
		m.produce()
	}
	m.bury()
	m.compare()
}

// do steps an event; taken is false when its write was refused.
func (m *model) do(e Event) (out Effects, taken bool) {
	out = *m.p.Step(m.now, e)
	out.Acquired = append([]Got(nil), out.Acquired...)
	if out.Write == nil {
		return out, true
	}
	if m.rng.IntN(10) == 0 {
		m.p.Step(m.now, Appended{errors.New("refused")})
		return out, false
	}
	if m.rng.IntN(5) == 0 {
		w := m.p.Snapshot()
		m.log = append(m.log, [2][]byte{AppendSnapshotKey(nil, worldKey), AppendSnapshot(nil, Header{}, &w)})
	} else {
		m.log = append(m.log, [2][]byte{AppendUpdateKey(nil, worldKey), AppendUpdate(nil, Header{}, out.Write)})
	}
	m.p.Step(m.now, Appended{})
	return out, true
}

func (m *model) inBatch(o int64) bool {
	for _, b := range m.batches {
		if o >= b.Base && o <= b.Last {
			return true
		}
	}
	return false
}

func (m *model) acquire(member string) {
	e := Acquire{Member: member, Mode: Mode(m.rng.IntN(2)), MaxRecords: 1 + m.rng.IntN(15), BatchSize: 1 + m.rng.IntN(15)}
	m.what = fmt.Sprintf("acquire %+v", e)
	from, ok := m.p.Next(m.now)
	for o := m.start; o < m.end; o++ { // the first that waits, if any does
		if r := m.recs[o]; r.state == Available && !r.lock.After(m.now) {
			if !ok || from != o {
				m.fail("next is %d (%v), %d waits", from, ok, o)
			}
			break
		}
	}
	if !ok {
		return
	}
	e.From = from
	for _, b := range m.batches {
		if b.Last >= from {
			e.Batches = append(e.Batches, b)
		}
	}
	if len(e.Batches) == 0 {
		return
	}
	e.Batches = e.Batches[:1+m.rng.IntN(len(e.Batches))]
	out, taken := m.do(e)
	if !taken {
		return
	}
	count, lastBatch := int64(0), int64(0)
	for _, g := range out.Acquired {
		for o := g.First; o <= g.Last; o++ {
			r := m.recs[o]
			switch {
			case o >= m.end && r == record{}:
			case o >= m.end || r.state != Available || r.lock.After(m.now):
				m.fail("%d was acquired; it was %+v", o, r)
			}
			if !m.inBatch(o) || o < from || o > e.Batches[len(e.Batches)-1].Last {
				m.fail("%d was acquired, which is not there", o)
			}
			r.state, r.member, r.lock, r.kept = Acquired, member, m.now.Add(m.cfg.LockDuration), m.cfg.LockDuration > time.Minute
			r.acquired++
			if g.Count != r.acquired {
				m.fail("%d: delivery count %d, want %d", o, g.Count, r.acquired)
			}
			if narrow := m.cfg.narrow(int(r.failed), 1<<40); narrow == 1 && count > 0 {
				m.fail("%d, about to fail for good, was delivered with others", o)
			}
			m.recs[o] = r
			count++
		}
	}
	for _, b := range e.Batches {
		lastBatch = max(lastBatch, b.Last-b.Base+1)
	}
	if most := int64(e.MaxRecords); e.Mode == RecordLimit && count > most || count >= most+lastBatch {
		m.fail("%d records for %d", count, most)
	}
	waits := from < m.end && m.inBatch(from)
	if waits && count == 0 {
		m.fail("%d waits, and nothing was acquired", from)
	}
	// What lies in no batch may have been given up.
	m.end = max(m.end, m.p.end)
	for o := from; o < m.end; o++ {
		if st := m.stateOf(o); st == Archived && m.recs[o].state == Available && !m.inBatch(o) {
			m.recs[o] = record{state: Archived}
		}
	}
	m.trim()
}

// stateOf is the machine's state of an offset.
func (m *model) stateOf(o int64) State {
	if o < m.p.start {
		return Archived
	}
	for i := range m.p.runs {
		if r := &m.p.runs[i]; o >= r.first && o <= r.last {
			return r.state
		}
	}
	return Available
}

func (m *model) failed(r *record) {
	r.failed++
	r.member, r.lock, r.kept = "", time.Time{}, false
	switch {
	case int(r.failed) < m.cfg.DeliveryLimit:
		r.state = Available
		if d := m.cfg.backoff(int(r.failed)); d > 0 {
			r.lock = m.now.Add(d)
		}
	case m.cfg.DeadLetters:
		r.state, r.cause = Dying, Exhausted
	default:
		*r = record{state: Archived}
	}
}

func (m *model) acknowledge(member string) {
	e := Acknowledge{Member: member, Closing: m.rng.IntN(6) == 0}
	if m.end == m.start {
		return
	}
	for at := m.start - 2 + m.rng.Int64N(m.end-m.start+2); len(e.Acks) < 1+m.rng.IntN(3); {
		// Mostly what the member has, so that most are good.
		for m.recs[at].state != Acquired && at < m.end-1 && m.rng.IntN(8) > 0 {
			at++
		}
		a := Ack{First: max(0, at), Last: max(0, at) + int64(m.rng.IntN(5))}
		for m.recs[a.Last].state != Acquired && a.Last > a.First && m.rng.IntN(8) > 0 {
			a.Last--
		}
		a.Types = []int8{int8(m.rng.IntN(5))}
		if m.rng.IntN(2) == 0 {
			for range a.Last - a.First {
				a.Types = append(a.Types, int8(m.rng.IntN(5)))
			}
		}
		e.Acks = append(e.Acks, a)
		at = a.Last + 1
		if at >= m.end {
			break
		}
	}
	m.what = fmt.Sprintf("acknowledge %+v", e)
	// What the model makes of it.
	want := int16(0)
	next := map[int64]record{}
	any := false
	for _, a := range e.Acks {
		for o := a.First; o <= a.Last; o++ {
			any = any || o >= m.start
			what := a.Types[0]
			if len(a.Types) > 1 {
				what = a.Types[o-a.First]
			}
			r := m.recs[o]
			switch {
			case o < m.start:
				continue
			case a.Last >= m.end && !(a.First >= m.end && m.end == m.start):
				want = kerr.InvalidRequest.Code
			case r.state != Acquired || r.member != member:
				if want == 0 {
					want = kerr.InvalidRecordState.Code
				}
			}
			switch Type(what) {
			case Gap:
				r = record{state: Archived}
			case Accept:
				r = record{state: Acknowledged}
			case Release:
				if e.Closing {
					r.state, r.member, r.lock, r.kept = Available, "", time.Time{}, false
				} else {
					m.failed(&r)
				}
			case Reject:
				if r = (record{state: Archived}); m.cfg.DeadLetters {
					r = m.recs[o]
					r.state, r.cause, r.member, r.lock, r.kept = Dying, Rejected, "", time.Time{}, false
				}
			case Renew:
				r.lock = m.now.Add(m.cfg.LockDuration)
			}
			next[o] = r
		}
	}
	out, taken := m.do(e)
	if out.Code != want {
		// Which of two mistakes is told first is not laid down.
		if out.Code == 0 || want == 0 {
			m.fail("code %d, want %d", out.Code, want)
		}
	}
	if out.Code != 0 || !taken || !any {
		return
	}
	for o, r := range next {
		m.recs[o] = r
	}
	m.trim()
}

func (m *model) leave(member string) {
	e := Leave{Member: member, Lost: m.rng.IntN(2) == 0}
	m.what = fmt.Sprintf("leave %+v", e)
	if _, taken := m.do(e); !taken {
		return
	}
	for o, r := range m.recs {
		if r.state != Acquired || r.member != member || e.Lost && r.kept {
			continue
		}
		if e.Lost {
			m.failed(&r)
		} else {
			r.state, r.member, r.lock, r.kept = Available, "", time.Time{}, false
		}
		m.recs[o] = r
	}
	m.trim()
}

// pass lets time pass, with the Ticks that are due.
func (m *model) pass(d time.Duration) {
	m.what = fmt.Sprintf("pass %s", d)
	end := m.now.Add(d)
	for range 1000 {
		at := m.p.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		if at.After(m.now) {
			m.now = at
		}
		m.tick()
		m.bury()
	}
	m.now = end
}

func (m *model) tick() {
	if _, taken := m.do(Tick{}); !taken {
		m.now = m.now.Add(time.Millisecond)
		return
	}
	for o, r := range m.recs {
		switch {
		case r.state == Acquired && !r.lock.After(m.now):
			m.failed(&r)
		case r.state == Available && !r.lock.IsZero() && !r.lock.After(m.now):
			r.lock = time.Time{}
		}
		m.recs[o] = r
	}
	m.trim()
}

func (m *model) logStart() {
	to := m.start + m.rng.Int64N(8)
	if n := len(m.batches); to > m.batches[n-1].Last {
		return
	}
	m.what = fmt.Sprintf("log start %d", to)
	m.do(LogStart{to})
	for o := m.start; o < to; o++ {
		delete(m.recs, o)
	}
	m.start = max(m.start, to)
	m.end = max(m.end, m.start)
	for len(m.batches) > 1 && m.batches[0].Last < to {
		m.batches = m.batches[1:]
	}
	m.batches[0].Base = max(m.batches[0].Base, min(to, m.batches[0].Last))
	m.trim()
}

func (m *model) bury() {
	for range 1000 {
		d, ok := m.p.Dying(1 + int64(m.rng.IntN(4)))
		if !ok {
			return
		}
		for o := d.First; o <= d.Last; o++ {
			if r := m.recs[o]; r.state != Dying || r.cause != d.Cause || max(1, r.acquired) != d.Count {
				m.fail("dead letter %+v; %d is %+v", d, o, r)
			}
		}
		if _, taken := m.do(Buried{d.First, d.Last}); !taken {
			continue
		}
		for o := d.First; o <= d.Last; o++ {
			m.recs[o] = record{state: Archived}
		}
		m.trim()
	}
}

// trim moves the start over what is finished.
func (m *model) trim() {
	for m.start < m.end && m.recs[m.start].state.finished() {
		delete(m.recs, m.start)
		m.start++
	}
}

// crash makes the machine anew. What was accepted or given up must be so still; what
// was not must be there to be delivered.
func (m *model) crash() {
	m.what = "crash"
	finished := map[int64]bool{}
	kept := map[int64]record{}
	for o, r := range m.recs {
		finished[o] = r.state.finished()
		if r.kept {
			kept[o] = r
		}
	}
	start := m.start
	m.p = nil
	for _, r := range m.log {
		kind, _, _, w, err := Decode(r[0], r[1])
		if err != nil {
			m.t.Fatal(err)
		}
		if kind == Snapshot {
			m.p = Restore(m.cfg, m.now.Add(-time.Second), w)
		} else {
			m.p.Replay(w)
		}
	}
	if m.p.start > start {
		m.fail("the start is %d behind, it was %d", m.p.start, start)
	}
	for o := m.p.start; o < m.p.end; o++ {
		st := m.stateOf(o)
		was := o < start || finished[o]
		// A log start, and holes, are found again.
		if st.finished() && !was {
			m.fail("%d is %s; it was %+v", o, st, m.recs[o])
		}
		if was && !st.finished() && o >= start && m.inBatch(o) {
			m.fail("%d is %s; it was finished", o, st)
		}
		if r, ok := kept[o]; ok && st != Acquired {
			m.fail("%d is %s; it was %+v", o, st, r)
		}
	}
	// From here on the model goes by the machine.
	m.recs = map[int64]record{}
	m.start, m.end = m.p.start, m.p.end
	for i := range m.p.runs {
		r := &m.p.runs[i]
		n := record{state: r.state, cause: r.cause, acquired: r.acquired, failed: r.failed, kept: r.kept}
		if r.member != none {
			n.member = m.p.members[r.member]
		}
		if r.lock != 0 {
			n.lock = m.p.base.Add(time.Duration(r.lock))
		}
		for o := r.first; o <= r.last; o++ {
			m.recs[o] = n
		}
	}
	if len(m.batches) > 0 && m.p.start < m.batches[0].Base {
		m.do(LogStart{m.batches[0].Base})
		for o := m.start; o < m.batches[0].Base; o++ {
			delete(m.recs, o)
		}
		m.start, m.end = m.batches[0].Base, max(m.end, m.batches[0].Base)
	}
	m.trim()
	// What has failed too often, and was not buried, dies now.
	if _, taken := m.do(Tick{}); taken {
		for o, r := range m.recs {
			switch {
			case r.state == Available && int(r.failed) >= m.cfg.DeliveryLimit:
				if r.state, r.cause, r.lock = Dying, Exhausted, (time.Time{}); !m.cfg.DeadLetters {
					r = record{state: Archived}
				}
			case r.state == Acquired && !r.lock.After(m.now):
				m.failed(&r)
			case r.state == Available && !r.lock.After(m.now):
				r.lock = time.Time{}
			}
			m.recs[o] = r
		}
		m.trim()
	}
}

// compare looks at every offset.
func (m *model) compare() {
	if m.p.start != m.start || m.p.end != m.end {
		m.fail("from %d to %d, want %d to %d", m.p.start, m.p.end, m.start, m.end)
	}
	at, open := m.start, int64(0)
	for i := range m.p.runs {
		r := &m.p.runs[i]
		if r.first != at || r.last < r.first {
			m.fail("run %d-%d, want it from %d", r.first, r.last, at)
		}
		if i > 0 && m.p.runs[i-1].joins(r) {
			m.fail("two runs where one would do: %+v", *r)
		}
		at = r.last + 1
		for o := r.first; o <= r.last; o++ {
			is := record{state: r.state, cause: r.cause, acquired: r.acquired, failed: r.failed, kept: r.kept}
			if r.member != none {
				is.member = m.p.members[r.member]
			}
			if r.lock != 0 {
				is.lock = m.p.base.Add(time.Duration(r.lock))
			}
			want := m.recs[o]
			if want.state.finished() {
				want = record{state: want.state}
			}
			if !is.lock.Equal(want.lock) {
				m.fail("%d is %+v, want %+v", o, is, want)
			}
			is.lock = want.lock
			if is != want {
				m.fail("%d is %+v, want %+v", o, is, want)
			}
			if !r.state.finished() {
				open++
			}
		}
	}
	if at != m.end || open != m.p.open {
		m.fail("the runs end at %d, want %d; %d are open, want %d", at, m.end, m.p.open, open)
	}
}
