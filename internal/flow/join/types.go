package join

import (
	"encoding/json"
	"time"
)

// Late is what becomes of parts that come after their row.
type Late string

const (
	Amend Late = "amend"
	Drop  Late = "drop"
	Send  Late = "send" // to a topic of their own
)

// Config is a join's declaration as the machine needs it.
type Config struct {
	// Branches are the names of the row's parts, in order.
	Branches []string
	Within   time.Duration
	Require  []string
	Late     Late
	// ByEvent says that keys are correlation ids: one row per key for ever. Else
	// keys are values of an expression, and a key may have many rows: parts belong
	// together when they are at most Within apart in event time, and a second part
	// of a branch opens the next row.
	ByEvent bool
	// Lost returns the branches of which no part can come any more when the steps
	// for which announced answers true make nothing of the event, each with the
	// step to blame.
	Lost func(announced func(step string) bool) map[string]string
	// RowID makes a row's id of its key and of the events it first came out with.
	RowID func(key string, events []string) string
	// MaxKept and MaxDone bound how many closed rows are remembered, MaxKeptBytes
	// what those that may be amended take.
	MaxKept, MaxKeptBytes, MaxDone int
}

// Ref is the shell's handle of a message that is held.
type Ref any

// Origin is where the root of an event stands, if its topic is a branch.
type Origin struct {
	Branch string
	Offset int64
}

// Part is one record of a branch.
type Part struct {
	Branch string
	Offset int64
	// Key is what the parts of a row share; Event is the part's own id.
	Key, Event string
	Time       time.Time
	Value      json.RawMessage
	Origin     Origin // zero when unknown
	// Redriven parts come again on purpose: they are never taken for repeats
	// because their branch has been read beyond them.
	Redriven bool
	Ref      Ref
	// Meta is the shell's; it stays with the part in its row.
	Meta any
}

// Announcement says that a step makes nothing of an event.
type Announcement struct {
	Key string
	// Step is who says so. When Branch is set, the announcement is the join's own
	// and means that one branch: a part that could not be read.
	Step, Branch string
	// DeadLetter is where the dead letter is; empty when the record was skipped.
	DeadLetter string
	Time       time.Time
	Origin     Origin
	Ref        Ref
}

// Row is a row and what it lacks.
type Row struct {
	ID, Key string
	// Time is that of its latest part.
	Time time.Time
	// Parts are those that came, by branch.
	Parts map[string]Part
	// Missing says of each branch that lacks why: the place of a dead letter,
	// "skipped by STEP" or "not within 30s".
	Missing map[string]string
	// Emitted says that the row has come out at least once, Amended that it came
	// out before and is different now.
	Emitted, Amended bool

	refs      []Ref
	announced map[string]Announcement // by step, or "branch/NAME"
	lastPart  time.Time               // wall clock
	// confirmed says that the row as it is is known to have come out. Rows that
	// were read back from the state alone may not have.
	confirmed bool
}

// Kind is what the shell is to do.
type Kind string

const (
	// Emit writes Row and settles Refs with it; Keep and Forget say what happens to
	// its state.
	Emit Kind = "emit"
	// Withhold writes no row because a required branch lacks for good (a dead
	// letter names it already), but keeps it, and settles Refs.
	Withhold Kind = "withhold"
	// Reject is Withhold for a required branch that lacks without any word of it:
	// Refs are dead-lettered with Reason.
	Reject Kind = "reject"
	// Dropped settles Refs with nothing but a count under Reason.
	Dropped Kind = "drop"
	// Sent writes the late part Refs[0] to the topic of late parts.
	Sent Kind = "send"
	// Forgotten deletes the state of Row, which is remembered no longer.
	Forgotten Kind = "forget"
)

// Effect is one thing for the shell to do. The rows are copies.
type Effect struct {
	Kind   Kind
	Row    Row
	Refs   []Ref
	Reason string
	// Keep says that Row's state is to be saved, Forget that it is to be deleted.
	Keep, Forget bool
}

// Reasons of Dropped, as metrics spell them.
const (
	ReasonRepeat    = "repeat"    // the part, or its row, was there before
	ReasonLate      = "late"      // late: drop
	ReasonUnmatched = "unmatched" // a required branch was skipped: no row, as declared
)
