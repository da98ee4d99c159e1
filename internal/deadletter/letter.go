package deadletter

import (
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Letter is one dead letter, whatever wrote it. Fields that the writer did not
// tell are zero (Source.Partition and Source.Offset: -1).
type Letter struct {
	// Topic, Partition and Offset are where the dead letter is.
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Time is the record's timestamp: of Leat's own, that of the original.
	Time time.Time `json:"time"`
	// Dialect is who wrote the headers.
	Dialect Dialect `json:"dialect"`
	// Source is where the record was read when it failed.
	Source Source `json:"source"`

	Pipeline string `json:"pipeline,omitempty"`
	Step     string `json:"step,omitempty"`
	Model    string `json:"model,omitempty"`
	EventID  string `json:"eventId,omitempty"`
	// Class is Leat's failure class or the dialect's exception type.
	Class   string `json:"class,omitempty"`
	Stage   string `json:"stage,omitempty"`
	Message string `json:"message,omitempty"`
	Stack   string `json:"stack,omitempty"`
	// Fingerprint groups letters of one cause: class and normalised message.
	Fingerprint string    `json:"fingerprint"`
	Attempts    int       `json:"attempts,omitempty"`
	FirstFailed time.Time `json:"firstFailed,omitzero"`
	LastFailed  time.Time `json:"lastFailed,omitzero"`
	// Redrives is how often the record was redriven before it failed again.
	Redrives  int    `json:"redrives"`
	RedriveID string `json:"redriveId,omitempty"`
	// State is open or redriven. Read leaves it open; the inbox fills it in.
	State State `json:"state"`

	// Record is the dead letter as it stands in its topic.
	Record *kgo.Record `json:"-"`
}

// Source is a place in the log as far as it is known.
type Source struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Group     string `json:"group,omitempty"`
}

// State is what became of a dead letter.
type State string

const (
	Open     State = "open"
	Redriven State = "redriven"
)

// ID returns the letter's topic/partition/offset.
func (l *Letter) ID() string { return event.Position(l.Topic, l.Partition, l.Offset) }

// stepName is the step for routing and filters, <pipeline>.<step>; empty when it is
// not known.
func (l *Letter) stepName() string {
	if l.Pipeline == "" || l.Step == "" {
		return ""
	}
	return l.Pipeline + "." + l.Step
}

// Read reads a record's dead-letter headers. ok is false when it has none of any
// dialect; the letter then has the record's place and nothing else.
func Read(r *kgo.Record) (l Letter, ok bool) {
	l = Letter{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp,
		Source: Source{Partition: -1, Offset: -1}, State: Open, Record: r}
	h := newHeaders(r.Headers)
	for _, d := range dialects {
		if h.hasAny(d.marks) {
			l.Dialect = d.name
			d.read(h, &l)
			ok = true
			break
		}
	}
	if l.Fingerprint == "" {
		l.Fingerprint = worker.Fingerprint(l.Class, l.Message)
	}
	return l, ok
}

// Original returns the record as it was before it became a dead letter: its key,
// value, timestamp and headers without what tells of the failure. Topic, partition
// and offset are left out.
func (l *Letter) Original() *kgo.Record {
	r := l.Record
	o := &kgo.Record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	for _, d := range dialects {
		if d.name == l.Dialect {
			o.Headers = d.strip(r.Headers)
			return o
		}
	}
	o.Headers = append(o.Headers, r.Headers...)
	return o
}
