package plog

import (
	"slices"
	"sort"

	"github.com/leatdev/leat/internal/sched"
)

// markEvery is about how many bytes of a segment lie between two places that are
// kept in memory: 8 bytes for each.
const markEvery = 64 << 10

// place is where a batch begins in a segment: its byte, and an offset (relative to
// the segment's base) that all batches before it are below and none from it on is.
type place struct{ pos, rel uint32 }

// run is a stretch of a segment, from the beginning of a batch to the end of one,
// whose batches are known to be what was written.
type run struct {
	marks []place // ascending; the first is where the run begins
	end   place
}

func (r *run) begin() place { return r.marks[0] }

// extend adds the batch between two places at the end.
func (r *run) extend(at, end place) {
	if at.pos-r.marks[len(r.marks)-1].pos >= markEvery {
		r.marks = append(r.marks, at)
	}
	r.end = end
}

// join adds a run that begins at or before the end of r.
func (r *run) join(next *run) {
	if next.end.pos <= r.end.pos {
		return
	}
	for _, m := range next.marks {
		if m.pos >= r.end.pos && m.pos-r.marks[len(r.marks)-1].pos >= markEvery {
			r.marks = append(r.marks, m)
		}
	}
	r.end = next.end
}

// checked is what this process knows about a segment's bytes: which are good, where
// their batches are, and which are damaged. A segment that nobody has read or written
// has none.
type checked struct {
	// turn is held by whoever reads and checks more of the segment, so that many
	// readers of one place have it done once; taken before mu.
	turn sched.Mutex

	mu   sched.Mutex
	runs []run     // ascending, not touching each other
	bad  []badPart // ascending
	// recent are places at which answers have ended between marks: where the next
	// request goes on.
	recent [4]place
	newest int
}

// badPart is a stretch between two places that is not what was written.
type badPart struct {
	from, to place
	reason   string
}

// add notes a run that was found good.
func (c *checked) add(n run) {
	if n.end.pos == n.begin().pos {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.runs), func(i int) bool { return c.runs[i].end.pos >= n.begin().pos })
	if i == len(c.runs) || c.runs[i].begin().pos > n.end.pos {
		c.runs = slices.Insert(c.runs, i, n)
		return
	}
	if c.runs[i].begin().pos > n.begin().pos {
		n.join(&c.runs[i])
		c.runs[i] = n
	} else {
		c.runs[i].join(&n)
	}
	j := i + 1
	for ; j < len(c.runs) && c.runs[j].begin().pos <= c.runs[i].end.pos; j++ {
		c.runs[i].join(&c.runs[j])
	}
	c.runs = slices.Delete(c.runs, i+1, j)
}

// wrote notes a batch that this process has written from memory it had checked.
func (c *checked) wrote(at, end place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.runs); n > 0 && c.runs[n-1].end.pos == at.pos {
		c.runs[n-1].extend(at, end)
		return
	}
	c.runs = append(c.runs, run{marks: []place{at}, end: end})
}

// spoil notes damage; false when it is known. What lies in it is good no more.
func (c *checked) spoil(d badPart) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.bad), func(i int) bool { return c.bad[i].from.pos >= d.from.pos })
	if i < len(c.bad) && c.bad[i].from.pos == d.from.pos {
		return false
	}
	c.bad = slices.Insert(c.bad, i, d)
	var kept []run
	for _, r := range c.runs {
		if r.end.pos <= d.from.pos || r.begin().pos >= d.to.pos {
			kept = append(kept, r)
			continue
		}
		if r.begin().pos < d.from.pos {
			n := sort.Search(len(r.marks), func(i int) bool { return r.marks[i].pos >= d.from.pos })
			kept = append(kept, run{marks: slices.Clone(r.marks[:n]), end: d.from})
		}
		if r.end.pos > d.to.pos {
			n := sort.Search(len(r.marks), func(i int) bool { return r.marks[i].pos > d.to.pos })
			kept = append(kept, run{marks: append([]place{d.to}, r.marks[n:]...), end: r.end})
		}
	}
	c.runs = kept
	c.recent = [4]place{}
	return true
}

// damageAt returns the damage that holds the relative offset.
func (c *checked) damageAt(rel uint32) (badPart, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.bad {
		if d.from.rel <= rel && rel < d.to.rel {
			return d, true
		}
	}
	return badPart{}, false
}

// knows reports whether the relative offset lies in what is good or in what is damaged.
func (c *checked) knows(rel uint32) bool {
	if _, _, ok := c.find(rel); ok {
		return true
	}
	_, ok := c.damageAt(rel)
	return ok
}

// find returns the nearest known place at or before the batch that holds the
// relative offset or, when there is none such, the next one, and the end of the run
// that it is in; false when that part has not been checked.
func (c *checked) find(rel uint32) (near, end place, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.runs), func(i int) bool { return c.runs[i].end.rel > rel })
	if i == len(c.runs) || c.runs[i].begin().rel > rel {
		return near, end, false
	}
	r := &c.runs[i]
	n := sort.Search(len(r.marks), func(i int) bool { return r.marks[i].rel > rel })
	near = r.marks[n-1]
	for _, p := range c.recent {
		if p.rel <= rel && p.pos > near.pos && p.pos < r.end.pos {
			near = p
		}
	}
	return near, r.end, true
}

// cut returns the last known place behind from and not behind pos; false when none
// is known.
func (c *checked) cut(from place, pos uint32) (place, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.runs), func(i int) bool { return c.runs[i].end.pos > from.pos })
	if i == len(c.runs) {
		return place{}, false
	}
	r := &c.runs[i]
	if r.end.pos <= pos {
		return r.end, true
	}
	n := sort.Search(len(r.marks), func(i int) bool { return r.marks[i].pos > pos })
	if n == 0 || r.marks[n-1].pos <= from.pos {
		return place{}, false
	}
	return r.marks[n-1], true
}

// ended notes a place between marks at which an answer has ended.
func (c *checked) ended(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent[c.newest] = p
	c.newest = (c.newest + 1) % len(c.recent)
}

// unchecked returns the nearest known place at or before the relative offset from
// which on nothing is known, and the byte where something is known again.
func (c *checked) unchecked(rel, size uint32) (from place, to uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to = size
	look := func(begin, end place) {
		if end.rel <= rel {
			if end.pos > from.pos {
				from = end
			}
		} else if begin.pos >= from.pos {
			to = min(to, begin.pos)
		}
	}
	for i := range c.runs {
		look(c.runs[i].begin(), c.runs[i].end)
	}
	for i := range c.bad {
		look(c.bad[i].from, c.bad[i].to)
	}
	return from, to
}
