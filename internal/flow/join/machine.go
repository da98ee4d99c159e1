package join

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Machine is the join of one partition. It is not safe for concurrent use.
type Machine struct {
	cfg Config
	// open rows by key, oldest first; by event there is at most one.
	open map[string][]*Row
	kept *memory[*Row]
	done *memory[[]string] // by key: the events of done rows
	// restored rows are done, too. They are not forgotten for newer ones: their
	// parts are about to come again.
	restored *memory[[]string]
	count    int // of open rows

	read    map[string]int64     // by branch: the next offset
	stream  map[string]time.Time // by branch: the latest event time
	arrived map[string]time.Time // by branch: wall clock of the last part
	effects []Effect
}

// New makes a machine that knows of nothing.
func New(cfg Config) *Machine {
	return &Machine{
		cfg:  cfg,
		open: map[string][]*Row{}, kept: newSizedMemory(cfg.MaxKept, cfg.MaxKeptBytes, (*Row).size), done: newMemory[[]string](cfg.MaxDone), restored: newMemory[[]string](math.MaxInt),
		read: map[string]int64{}, stream: map[string]time.Time{}, arrived: map[string]time.Time{},
	}
}

// Open is the number of rows that wait.
func (m *Machine) Open() int { return m.count }

// Kept is the number of closed rows that may be amended.
func (m *Machine) Kept() int { return m.kept.len() }

// Read says that a branch is read from this offset on: what is before it was
// read and settled in an earlier life.
func (m *Machine) Read(branch string, next int64) { m.read[branch] = max(m.read[branch], next) }

// Restore tells of a row that was closed in an earlier life. Emitted rows were
// read back from where rows come out, others from the state; of one key the
// last one counts.
func (m *Machine) Restore(r Row, confirmed bool) {
	r = r.copy()
	r.confirmed = confirmed
	m.kept.remove(r.Key + "\x00" + r.ID)
	if len(r.Missing) > 0 {
		m.kept.put(r.Key+"\x00"+r.ID, r.Key, &r)
		return
	}
	m.restored.put(r.Key+"\x00"+r.ID, r.Key, m.events(&r))
}

// Part takes a part in at the wall clock's now.
func (m *Machine) Part(p Part, now time.Time) []Effect {
	known := !p.Redriven && m.passed(p.Origin) && !(p.Origin.Branch == p.Branch && p.Origin.Offset == p.Offset)
	if !p.Redriven {
		m.read[p.Branch] = max(m.read[p.Branch], p.Offset+1)
		m.arrived[p.Branch] = now
		if t := earlier(p.Time, now); t.After(m.stream[p.Branch]) {
			m.stream[p.Branch] = t
		}
	}
	if m.repeated(p) {
		return m.out(Effect{Kind: Dropped, Refs: []Ref{p.Ref}, Reason: ReasonRepeat})
	}
	if r := m.openFor(p); r != nil {
		m.add(r, p, now)
		m.close(r, now, false)
		return m.out()
	}
	if r := m.keptFor(p); r != nil {
		m.late(r, p)
		return m.out()
	}
	if known {
		return m.out(Effect{Kind: Dropped, Refs: []Ref{p.Ref}, Reason: ReasonRepeat})
	}
	r := m.opened(p.Key, now)
	m.add(r, p, now)
	m.close(r, now, false)
	return m.out()
}

// Announce takes in that a step makes nothing of an event.
func (m *Machine) Announce(a Announcement, now time.Time) []Effect {
	known := m.passed(a.Origin)
	var r *Row
	if rows := m.open[a.Key]; len(rows) > 0 {
		r = rows[0]
	} else if kept := m.kept.of(a.Key); len(kept) > 0 {
		m.amendReasons(kept[0], a)
		return m.out()
	} else if m.done.has(a.Key) || m.restored.has(a.Key) || known {
		return m.out(Effect{Kind: Dropped, Refs: []Ref{a.Ref}, Reason: ReasonRepeat})
	} else {
		r = m.opened(a.Key, now)
	}
	r.announced[a.name()] = a
	r.refs = append(r.refs, a.Ref)
	r.lastPart = now
	r.Time = later(r.Time, a.Time)
	m.close(r, now, false)
	return m.out()
}

// Tick closes the rows whose time is over. Its order is that of the keys.
func (m *Machine) Tick(now time.Time) []Effect {
	var over []*Row
	for _, key := range slices.Sorted(maps.Keys(m.open)) {
		for _, r := range m.open[key] {
			if m.over(r, now) {
				over = append(over, r)
			}
		}
	}
	for _, r := range over {
		m.close(r, now, true)
	}
	return m.out()
}

func (m *Machine) out(more ...Effect) []Effect {
	effects := append(m.effects, more...)
	m.effects = nil
	return effects
}

// passed tells whether the branch of an origin has been read beyond it.
func (m *Machine) passed(o Origin) bool { return o.Branch != "" && o.Offset < m.read[o.Branch] }

// repeated tells whether this very part is in a row already, or its row is done.
// Of a kept row that is not known to have come out, it is no repeat.
func (m *Machine) repeated(p Part) bool {
	for _, r := range m.open[p.Key] {
		if have, ok := r.Parts[p.Branch]; ok && (m.cfg.ByEvent || have.Event == p.Event) {
			return true
		}
	}
	for _, r := range m.kept.of(p.Key) {
		if have, ok := r.Parts[p.Branch]; ok && r.confirmed && (m.cfg.ByEvent || have.Event == p.Event) {
			return true
		}
	}
	for _, events := range append(m.done.of(p.Key), m.restored.of(p.Key)...) {
		if m.cfg.ByEvent || slices.Contains(events, p.Event) {
			return true
		}
	}
	return false
}

func (m *Machine) near(r *Row, p Part) bool {
	return m.cfg.ByEvent || p.Time.Sub(r.Time).Abs() <= m.cfg.Within
}

func (m *Machine) openFor(p Part) *Row {
	for _, r := range m.open[p.Key] {
		if _, has := r.Parts[p.Branch]; !has && m.near(r, p) {
			return r
		}
	}
	return nil
}

func (m *Machine) keptFor(p Part) *Row {
	for _, r := range m.kept.of(p.Key) {
		have, has := r.Parts[p.Branch]
		if m.near(r, p) && (!has || !r.confirmed && (m.cfg.ByEvent || have.Event == p.Event)) {
			return r
		}
	}
	return nil
}

func (m *Machine) opened(key string, now time.Time) *Row {
	r := &Row{Key: key, Parts: map[string]Part{}, announced: map[string]Announcement{}, lastPart: now}
	m.open[key] = append(m.open[key], r)
	m.count++
	return r
}

func (m *Machine) add(r *Row, p Part, now time.Time) {
	r.Parts[p.Branch] = p
	r.refs = append(r.refs, p.Ref)
	r.Time = later(r.Time, p.Time)
	r.lastPart = now
}

// lacking returns what the row lacks and why, "" where there is no word of it.
func (m *Machine) lacking(r *Row) map[string]string {
	var lost map[string]string
	if len(r.announced) > 0 { // most rows hear of nothing
		lost = m.cfg.Lost(func(step string) bool { _, ok := r.announced[step]; return ok })
	}
	out := map[string]string{}
	for _, b := range m.cfg.Branches {
		if _, ok := r.Parts[b]; ok {
			continue
		}
		out[b] = ""
		if a, ok := r.announced["branch/"+b]; ok {
			out[b] = a.reason()
		} else if step, ok := lost[b]; ok {
			out[b] = r.announced[step].reason()
		}
	}
	return out
}

// over tells whether an open row has waited long enough for all it lacks.
func (m *Machine) over(r *Row, now time.Time) bool {
	for b, why := range m.lacking(r) {
		if why != "" || m.stream[b].After(r.Time.Add(m.cfg.Within)) {
			continue
		}
		if now.Sub(later(m.arrived[b], r.lastPart)) < m.cfg.Within {
			return false
		}
	}
	return true
}

// close closes an open row if it is complete, if nothing more can come, or if its
// time is over.
func (m *Machine) close(r *Row, now time.Time, over bool) {
	lacking := m.lacking(r)
	unsaid := false
	for b, why := range lacking {
		if why == "" {
			unsaid = true
			lacking[b] = fmt.Sprintf("not within %s", m.cfg.Within)
		}
	}
	if unsaid && !over {
		return
	}
	m.open[r.Key] = slices.DeleteFunc(m.open[r.Key], func(o *Row) bool { return o == r })
	if len(m.open[r.Key]) == 0 {
		delete(m.open, r.Key)
	}
	m.count--
	r.Missing = lacking
	r.ID = m.cfg.RowID(r.Key, m.events(r))
	r.confirmed = true
	refs := r.refs
	r.refs = nil
	m.conclude(r, refs)
}

// conclude says what becomes of a closed row and of the messages it closes with.
func (m *Machine) conclude(r *Row, refs []Ref) {
	for b, p := range r.Parts { // a kept row must not keep the messages
		p.Ref = nil
		r.Parts[b] = p
	}
	switch want, skipped, silent := m.unmet(r); {
	case want == "":
		r.Emitted = true
		m.store(r, Effect{Kind: Emit, Refs: refs})
	case skipped:
		m.remember(r)
		m.effects = append(m.effects, Effect{Kind: Dropped, Row: r.copy(), Refs: refs, Reason: ReasonUnmatched})
	case silent:
		m.store(r, Effect{Kind: Reject, Refs: refs, Reason: fmt.Sprintf("the required branch %s did not come within %s", want, m.cfg.Within)})
	default:
		m.store(r, Effect{Kind: Withhold, Refs: refs, Reason: fmt.Sprintf("the required branch %s is missing: %s", want, r.Missing[want])})
	}
}

// unmet returns a required branch that the row lacks, or "". skipped says that
// some step declined the record on purpose: then no row is wanted. silent says
// that nobody has told of the branch.
func (m *Machine) unmet(r *Row) (want string, skipped, silent bool) {
	for _, b := range m.cfg.Require {
		why, lacks := r.Missing[b]
		if !lacks {
			continue
		}
		if want == "" {
			want = b
		}
		switch {
		case isSkip(why):
			skipped = true
		case isTimeout(why):
			silent = true
		}
	}
	return want, skipped, silent
}

// store keeps a closed row that lacks parts, or remembers that it is done.
func (m *Machine) store(r *Row, e Effect) {
	id := r.Key + "\x00" + r.ID
	if len(r.Missing) > 0 {
		e.Keep = true
		for _, old := range m.kept.put(id, r.Key, r) {
			m.effects = append(m.effects, Effect{Kind: Forgotten, Row: old.copy(), Forget: true})
		}
	} else {
		e.Forget = m.kept.remove(id)
		m.remember(r)
	}
	e.Row = r.copy()
	m.effects = append(m.effects, e)
}

func (m *Machine) remember(r *Row) {
	m.done.put(r.Key+"\x00"+r.ID, r.Key, m.events(r))
}

// events are the ids of the row's parts in the order of the branches.
func (m *Machine) events(r *Row) []string {
	var out []string
	for _, b := range m.cfg.Branches {
		if p, ok := r.Parts[b]; ok {
			out = append(out, p.Event)
		}
	}
	return out
}
