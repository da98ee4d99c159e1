// Package audit accounts for every record of a pipeline after it has run: each
// message that went in, each result, dead letter and row that came out, counted as
// records. It knows nothing of how the pipeline ran but when it was killed and how
// far it had committed then, and trusts nothing but the topics.
package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
)

// Sent is a message as its producer knows it.
type Sent struct {
	// Record is what was acknowledged, with its partition and offset.
	Record *kgo.Record
	// Lacks are the branches that its row must lack, each with a dead letter; a
	// row without them must be whole.
	Lacks []string
	// Withheld says that the message is one that the join cannot read, and must
	// have a dead letter of the join in place of a row.
	Withheld bool
}

// Kill is what the cluster had at one moment when the runner was dead.
type Kill struct {
	// Committed are the groups' offsets: group, topic, partition.
	Committed map[string]map[string]map[int32]int64
	// End are the ends of the topics.
	End map[string]map[int32]int64
}

// Evidence is all there is when the pipeline has stopped.
type Evidence struct {
	// Pipeline has exactly one join; its first branch is the topic of the messages.
	Pipeline *pipeline.Pipeline
	Sent     []Sent
	// Topics are all records of all topics, those of a partition in their order.
	Topics map[string][]*kgo.Record
	Kills  []Kill
	// MaxInFlight is the documented bound of a step, per partition, of what may be
	// handled again after a kill.
	MaxInFlight int64
}

// Kind is what is wrong.
type Kind string

const (
	Altered   Kind = "altered"   // a message, a dead letter or a result's heritage differs from the original
	Stranger  Kind = "stranger"  // a record of a message that never was, or that its step never read
	Lost      Kind = "lost"      // a step made neither a result nor a dead letter
	Both      Kind = "both"      // a step made a result and a dead letter
	NoRow     Kind = "no row"    // a message has neither a row nor a reason
	OtherID   Kind = "other id"  // not the event id that a repeat would have
	Repeated  Kind = "repeated"  // more often than the kills allow
	Different Kind = "different" // a repeat that is not the same
	Overtaken Kind = "overtaken" // the order of a key is lost
	Part      Kind = "part"      // a row's part is not what its branch has
	Unexcused Kind = "unexcused" // a part lacks and no dead letter says why
	Surprise  Kind = "surprise"  // the row lacks other parts than it should
)

// Fault is one thing that should not be.
type Fault struct {
	Kind  Kind
	Where string // topic/partition/offset
	Text  string
}

func (f Fault) String() string { return fmt.Sprintf("%s at %s: %s", f.Kind, f.Where, f.Text) }

// Report is the account.
type Report struct {
	Messages int
	// Rows counts first rows, Whole those whose last form lacks nothing, Lacking the
	// others; Withheld messages have a dead letter in place of a row.
	Rows, Whole, Lacking, Withheld int
	// Amended counts rows that came out again with more in them.
	Amended int
	// Letters counts dead letters by step.
	Letters map[string]int
	// Repeats counts records beyond the first, by topic (dead letters too).
	Repeats map[string]int
	Faults  []Fault
}

// Audit compares everything with everything.
func Audit(e Evidence) Report {
	a := &auditor{Evidence: e, rep: Report{Messages: len(e.Sent), Letters: map[string]int{}, Repeats: map[string]int{}}}
	for _, s := range e.Pipeline.Steps {
		if s.Join != nil {
			a.join = s
			a.input = s.Join.Of[0].Topic
		}
	}
	a.index()
	a.checkInput()
	a.checkLetters()
	for _, s := range e.Pipeline.Steps {
		if s.Join != nil {
			a.checkRows()
		} else {
			a.checkStep(s)
		}
		a.checkOrder(s)
	}
	slices.SortStableFunc(a.rep.Faults, func(x, y Fault) int { return cmp.Compare(x.Where, y.Where) })
	return a.rep
}

// message is one of Sent with the position that is its event id.
type message struct {
	Sent
	root string
}

type auditor struct {
	Evidence
	rep   Report
	join  *pipeline.Step
	input string

	messages map[string]*message                 // by root
	at       map[string]*kgo.Record              // by position
	copies   map[string]map[string][]*kgo.Record // by topic and root, in order
	letters  map[string]*letter                  // by position
	bySource map[string]map[string][]*letter     // by step and the source's position
}

func (a *auditor) fault(k Kind, where, format string, args ...any) {
	a.rep.Faults = append(a.rep.Faults, Fault{k, where, fmt.Sprintf(format, args...)})
}

func (a *auditor) index() {
	a.messages, a.at, a.copies = map[string]*message{}, map[string]*kgo.Record{}, map[string]map[string][]*kgo.Record{}
	for _, s := range a.Sent {
		m := &message{Sent: s, root: position(s.Record)}
		a.messages[m.root] = m
	}
	for topic, rs := range a.Topics {
		a.copies[topic] = map[string][]*kgo.Record{}
		for _, r := range rs {
			a.at[position(r)] = r
			root := a.rootOf(r)
			a.copies[topic][root] = append(a.copies[topic][root], r)
		}
	}
}

func position(r *kgo.Record) string { return event.Position(r.Topic, r.Partition, r.Offset) }

// rootOf is the event id of the message that a record comes of: messages have no
// ids of their own in this system, so it is where the message stands.
func (a *auditor) rootOf(r *kgo.Record) string {
	if r.Topic == a.input {
		return position(r)
	}
	return header(r, event.HeaderCorrelationID)
}

func header(r *kgo.Record, name string) string {
	v, _ := event.Header(r.Headers, name)
	return string(v)
}

// idOf is a record's own event id.
func idOf(r *kgo.Record) string {
	if id := header(r, event.HeaderEventID); id != "" {
		return id
	}
	return position(r)
}

// readings is how often a group may have handled a record: once, and again after
// each kill at which it was read and not covered by a commit. bound 0 is none.
func (a *auditor) readings(group string, r *kgo.Record, bound int64) int {
	n := 1
	for _, k := range a.Kills {
		committed, end := max(k.Committed[group][r.Topic][r.Partition], 0), k.End[r.Topic][r.Partition]
		if bound > 0 {
			end = min(end, committed+bound)
		}
		if r.Offset >= committed && r.Offset < end {
			n++
		}
	}
	return n
}

// checkInput holds the topic of the messages against what was acknowledged.
func (a *auditor) checkInput() {
	for _, r := range a.Topics[a.input] {
		m := a.messages[position(r)]
		if m == nil {
			a.fault(Stranger, position(r), "nobody sent this message")
			continue
		}
		if why := differs(m.Record, r); why != "" || len(r.Headers) != len(m.Record.Headers) {
			a.fault(Altered, position(r), "the message is not what was sent: %s", cmp.Or(why, "headers were added"))
		}
	}
	for root := range a.messages {
		if a.at[root] == nil {
			a.fault(Lost, root, "the message was acknowledged and is not in its topic")
		}
	}
}

// differs says how a copy differs from its original, whose headers must be the
// first of the copy's.
func differs(original, r *kgo.Record) string {
	switch {
	case !same(original.Key, r.Key):
		return fmt.Sprintf("the key was %q and is %q", original.Key, r.Key)
	case !same(original.Value, r.Value):
		return fmt.Sprintf("the value had %d bytes and has %d, or others (null: %t, %t)", len(original.Value), len(r.Value), original.Value == nil, r.Value == nil)
	}
	return differsInPlace(original, r, "")
}

// differsInHeritage is differs for what a result takes over: partition, key, time
// and headers. leat-root is the pipeline's to set, whoever had set it.
func differsInHeritage(original, r *kgo.Record) string {
	return differsInPlace(original, r, "leat-root")
}

func differsInPlace(original, r *kgo.Record, but string) string {
	switch {
	case original.Partition != r.Partition:
		return fmt.Sprintf("the partition was %d and is %d", original.Partition, r.Partition)
	case !same(original.Key, r.Key):
		return fmt.Sprintf("the key was %q and is %q", original.Key, r.Key)
	case original.Timestamp.UnixMilli() != r.Timestamp.UnixMilli():
		return fmt.Sprintf("the time was %v and is %v", original.Timestamp, r.Timestamp)
	case len(r.Headers) < len(original.Headers):
		return "headers are gone"
	}
	for i, h := range original.Headers {
		if g := r.Headers[i]; g.Key != h.Key || !same(g.Value, h.Value) && h.Key != but {
			return fmt.Sprintf("header %d was %s=%q and is %s=%q", i, h.Key, h.Value, g.Key, g.Value)
		}
	}
	return ""
}

// same is bytes.Equal that tells null from empty, as Kafka does.
func same(a, b []byte) bool { return string(a) == string(b) && (a == nil) == (b == nil) }
