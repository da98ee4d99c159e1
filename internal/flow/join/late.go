package join

import (
	"maps"
	"time"
)

// late takes in a part of a row that has been closed.
func (m *Machine) late(r *Row, p Part) {
	if _, has := r.Parts[p.Branch]; has { // and the row may never have come out
		r.confirmed = true
		m.conclude(r, []Ref{p.Ref})
		return
	}
	// A row that never came out is not amended by its missing part but made, and
	// a part that was put back on purpose belongs to its row whatever `late` says.
	if r.Emitted && !p.Redriven {
		switch m.cfg.Late {
		case Drop:
			m.effects = append(m.effects, Effect{Kind: Dropped, Refs: []Ref{p.Ref}, Reason: ReasonLate})
			return
		case Send:
			m.effects = append(m.effects, Effect{Kind: Sent, Refs: []Ref{p.Ref}})
			return
		}
	}
	r.Parts[p.Branch] = p
	delete(r.Missing, p.Branch)
	r.Time = later(r.Time, p.Time)
	r.confirmed = true
	r.Amended = r.Emitted
	m.conclude(r, []Ref{p.Ref})
}

// amendReasons takes in an announcement about a row that has been closed: what
// it lacks may have found its dead letter, or another one.
func (m *Machine) amendReasons(r *Row, a Announcement) {
	if r.announced == nil {
		r.announced = map[string]Announcement{}
	}
	r.announced[a.name()] = a
	changed := false
	for b, why := range m.lacking(r) {
		if why != "" && r.Missing[b] != why && !isSkip(why) {
			r.Missing[b] = why
			changed = true
		}
	}
	if !changed {
		m.effects = append(m.effects, Effect{Kind: Dropped, Refs: []Ref{a.Ref}, Reason: ReasonRepeat})
		return
	}
	r.Amended = r.Emitted
	r.confirmed = true
	m.conclude(r, []Ref{a.Ref})
}

const (
	skippedBy = "skipped by "
	notWithin = "not within "
)

func isSkip(why string) bool { return len(why) > len(skippedBy) && why[:len(skippedBy)] == skippedBy }
func isTimeout(why string) bool {
	return len(why) > len(notWithin) && why[:len(notWithin)] == notWithin
}

func (a Announcement) reason() string {
	if a.DeadLetter != "" {
		return a.DeadLetter
	}
	return skippedBy + a.Step
}

func (a Announcement) name() string {
	if a.Branch != "" {
		return "branch/" + a.Branch
	}
	return a.Step
}

// size is about what a row takes in memory.
func (r *Row) size() int {
	const overhead = 300 // of a part: its struct, times, headers
	n := 0
	for _, p := range r.Parts {
		n += overhead + len(p.Value) + len(p.Key) + len(p.Event)
	}
	return n
}

func (r *Row) copy() Row {
	c := *r
	c.Parts, c.Missing, c.announced = maps.Clone(r.Parts), maps.Clone(r.Missing), nil
	return c
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
