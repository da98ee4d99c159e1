package flow

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/leatdev/leat/pipeline"
)

// Kind is what a topic is for.
type Kind string

const (
	KindInput    Kind = "input"
	KindResult   Kind = "result"
	KindDLQ      Kind = "dead letters"
	KindRedrive  Kind = "redrive"
	KindOutcomes Kind = "outcomes"
	KindRows     Kind = "rows"
)

const (
	// kafkaMaxBytes is max.message.bytes where nobody says otherwise.
	kafkaMaxBytes = 1048588
	// headerRoom is what a dead letter's headers may add to a record.
	headerRoom = 64 << 10

	deadLetterRetention = 30 * 24 * time.Hour
	redriveRetention    = 7 * 24 * time.Hour
)

// Topic is a topic that the pipelines need, as it will be made when it lacks.
type Topic struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Partitions is 0 when it is not known: the cluster's default for a topic
	// that has no declared count and no input to take it from.
	Partitions int32 `json:"partitions"`
	// Configs are Kafka's own names and values; what is not there is left to the
	// cluster's defaults.
	Configs map[string]string `json:"configs,omitempty"`
	// Exists says that the cluster has it.
	Exists bool `json:"exists"`

	declared *pipeline.Topic
	maxBytes int64
}

// Difference is a declaration that an existing topic does not meet. Existing
// topics are never altered.
type Difference struct {
	Topic    string `json:"topic"`
	What     string `json:"what"` // partitions, or a config's name
	Declared string `json:"declared"`
	Actual   string `json:"actual"`
}

func (d Difference) String() string {
	return fmt.Sprintf("topic %s has %s %s, declared is %s", d.Topic, d.What, d.Actual, d.Declared)
}

// topicSet is the topics of all pipelines, in the order of the files.
type topicSet struct {
	all    []*Topic
	byName map[string]*Topic
}

func (ts *topicSet) add(name string, kind Kind, declared *pipeline.Topic) *Topic {
	t := ts.byName[name]
	if t == nil {
		t = &Topic{Name: name, Kind: kind, Configs: map[string]string{}}
		ts.byName[name] = t
		ts.all = append(ts.all, t)
	}
	if t.declared == nil && declared != nil && declared.Line > 0 {
		t.declared = declared
	}
	if kind == KindResult && t.Kind == KindInput { // somebody writes it after all
		t.Kind = kind
	}
	return t
}

// topics are all that the pipelines need, without a look at the cluster.
func topics(pipelines []*pipeline.Pipeline) *topicSet {
	ts := &topicSet{byName: map[string]*Topic{}}
	for _, p := range pipelines {
		for _, s := range p.Steps {
			for _, t := range s.Inputs() {
				ts.add(t, KindInput, p.Topic(t))
			}
			ts.add(s.To, KindResult, p.Topic(s.To))
			if s.Join != nil && s.Join.Late.Topic != "" {
				ts.add(s.Join.Late.Topic, KindResult, p.Topic(s.Join.Late.Topic))
			}
		}
		for _, s := range p.Steps {
			ts.add(s.DLQ, KindDLQ, p.Topic(s.DLQ))
			ts.add(p.Redrive(s), KindRedrive, nil)
			if s.Join != nil {
				ts.add(p.Rows(s), KindRows, nil)
			}
		}
		if p.Joins() {
			ts.add(p.Outcomes(), KindOutcomes, nil)
		}
	}
	for _, t := range ts.all {
		if t.declared != nil {
			t.Partitions, t.maxBytes = t.declared.Partitions, t.declared.MaxBytes
		}
	}
	return ts
}

// derive finishes what follows from what is known: partitions and record sizes
// of results from those of the inputs. It may be called again when more is known.
func (ts *topicSet) derive(pipelines []*pipeline.Pipeline) {
	// The graph has no cycles: once per topic is enough for everything to arrive.
	for range ts.all {
		for _, p := range pipelines {
			for _, s := range p.Steps {
				ts.deriveStep(p, s)
			}
		}
	}
	for _, t := range ts.all {
		t.configure()
	}
}

func (ts *topicSet) deriveStep(p *pipeline.Pipeline, s *pipeline.Step) {
	var partitions int32
	var largest, sum int64
	known := true
	for _, name := range s.Inputs() {
		in := ts.byName[name]
		partitions = max(partitions, in.Partitions)
		known = known && in.Partitions > 0
		size := cmp.Or(in.maxBytes, kafkaMaxBytes)
		largest = max(largest, size)
		sum += size
	}
	result := largest
	if s.Join != nil {
		result = sum // a row holds all its parts
	}
	for name, size := range map[string]int64{
		s.To: result, s.DLQ: largest + headerRoom, p.Redrive(s): largest + headerRoom,
		p.Rows(s): result + headerRoom, p.Outcomes(): 0, lateTopic(s): largest,
	} {
		t := ts.byName[name]
		if t == nil || (name == p.Outcomes() && s.Join == nil) {
			continue
		}
		if known && !t.Exists && (t.declared == nil || t.declared.Partitions == 0) {
			t.Partitions = max(t.Partitions, partitions)
		}
		if t.declared == nil || t.declared.MaxBytes == 0 {
			t.maxBytes = max(t.maxBytes, min(size, 1<<30))
		}
	}
}

func lateTopic(s *pipeline.Step) string {
	if s.Join == nil {
		return ""
	}
	return s.Join.Late.Topic
}

func (t *Topic) configure() {
	if t.maxBytes > kafkaMaxBytes || t.declared != nil && t.declared.MaxBytes > 0 {
		t.Configs["max.message.bytes"] = strconv.FormatInt(t.maxBytes, 10)
	}
	retention := time.Duration(0)
	switch t.Kind {
	case KindDLQ:
		retention = deadLetterRetention
		t.Configs["cleanup.policy"] = "delete" // compaction would take dead letters that share a key
	case KindRedrive, KindOutcomes:
		retention = redriveRetention
		t.Configs["cleanup.policy"] = "delete"
	case KindRows:
		retention = deadLetterRetention // as long as a part may still be redriven
		t.Configs["cleanup.policy"] = "compact,delete"
	}
	if t.declared != nil && t.declared.Retention != 0 {
		retention = t.declared.Retention
	}
	switch {
	case retention == pipeline.Forever:
		t.Configs["retention.ms"] = "-1"
	case retention > 0:
		t.Configs["retention.ms"] = strconv.FormatInt(retention.Milliseconds(), 10)
	}
}
