package flow

import (
	"encoding/json"
	"fmt"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

// outcome is a record of <pipeline>.outcomes: a step makes nothing of an event.
// Its key is that of the record, its partition has the record's number, so that
// it meets the other parts of the row.
type outcome struct {
	Step  string `json:"step"`
	Event string `json:"event"` // the root event's id
	// DeadLetter is where the dead letter is, topic/partition/offset; empty when
	// the record was skipped.
	DeadLetter string `json:"deadLetter,omitempty"`
	// Branch is set by a join for a part that it could not read itself, and
	// concerns that join alone.
	Branch string `json:"branch,omitempty"`
}

func (o outcome) record(p *pipeline.Pipeline, key []byte, root string) *kgo.Record {
	value, _ := json.Marshal(o) // strings always marshal
	return &kgo.Record{
		Topic: p.Outcomes(), Key: key, Value: value,
		Headers: []kgo.RecordHeader{
			{Key: "content-type", Value: []byte("application/json")},
			{Key: event.HeaderEventID, Value: []byte(event.DerivedID(o.Event, p.Name+"."+o.Step, "outcome", o.DeadLetter, o.Branch))},
			{Key: event.HeaderCorrelationID, Value: []byte(o.Event)},
			{Key: event.HeaderPipeline, Value: []byte(p.Name)},
			{Key: event.HeaderStep, Value: []byte(o.Step)},
			{Key: HeaderRoot, Value: []byte(root)},
		},
	}
}

func parseOutcome(data []byte) (outcome, error) {
	var o outcome
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fmt.Errorf("not an outcome: %w", err)
	}
	if o.Step == "" || o.Event == "" {
		return o, fmt.Errorf("not an outcome: it names no step or no event")
	}
	return o, nil
}
