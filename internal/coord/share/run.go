package share

// State is what a record is in, for a group.
type State uint8

// The states; see the package comment. The numbers of all but Dying are Kafka's.
const (
	Available    State = 0
	Acquired     State = 1
	Acknowledged State = 2
	Archived     State = 4
	// Dying is on its way to the dead-letter topic.
	Dying State = 5
)

func (s State) String() string {
	switch s {
	case Available:
		return "available"
	case Acquired:
		return "acquired"
	case Acknowledged:
		return "acknowledged"
	case Archived:
		return "archived"
	case Dying:
		return "dying"
	}
	return "?"
}

// finished says that the record is never delivered again.
func (s State) finished() bool { return s == Acknowledged || s == Archived }

// Cause is why a record is a dead letter.
type Cause uint8

// The causes, with Kafka's sentences.
const (
	Rejected Cause = 1 + iota
	Exhausted
)

func (c Cause) String() string {
	if c == Rejected {
		return "Offset rejected by client."
	}
	return "Offset delivery count exceeded the threshold."
}

// none is the member of a run that nobody has acquired.
const none = -1

// run is a range of offsets in the same state. Times are in nanoseconds since the
// Partition's base.
type run struct {
	first, last int64
	// lock is when the lock ends (Acquired), or from when on the record may be
	// delivered again (Available; 0 = at once).
	lock     int64
	member   int32 // index into Partition.members, or none
	acquired int16 // deliveries
	failed   int16 // of these, so many failed
	state    State
	cause    Cause // of a Dying one
	kept     bool  // the lock is part of the durable state
}

func (r *run) size() int64 { return r.last - r.first + 1 }

// joins says that b, which follows a, is in the same state.
func (r *run) joins(b *run) bool {
	return r.last+1 == b.first && r.state == b.state && r.lock == b.lock && r.member == b.member &&
		r.acquired == b.acquired && r.failed == b.failed && r.cause == b.cause && r.kept == b.kept
}

// push appends a run, as part of the last one where it can be.
func push(rs []run, r run) []run {
	if r.state.finished() {
		// How it came to be finished is of no more interest: such runs join.
		r.lock, r.member, r.acquired, r.failed, r.cause, r.kept = 0, none, 0, 0, 0, false
	}
	if n := len(rs); n > 0 && rs[n-1].joins(&r) {
		rs[n-1].last = r.last
		return rs
	}
	return append(rs, r)
}

// cut pushes the part of r that lies before an offset; r is the rest then.
func cut(rs []run, r *run, before int64) []run {
	if r.first < before {
		front := *r
		front.last = before - 1
		rs = push(rs, front)
		r.first = before
	}
	return rs
}

// span is a range of offsets, both ends included.
type span struct{ first, last int64 }

// counter adds to a count that stops at its type's end.
func counter(n int16) int16 {
	if n == 1<<15-1 {
		return n
	}
	return n + 1
}
