package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Disposition is the value of a record of StateTopic; its key is the dead letter's
// topic/partition/offset. No record, or a null value, means open.
type Disposition struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
	// EventID is the letter's: an entry of a topic that was deleted and made again
	// does not count for the new letters.
	EventID string `json:"eventId,omitempty"`
	// RedriveID is the redrive that did it; To is where the record went
	// (topic/partition/offset).
	RedriveID string `json:"redriveId,omitempty"`
	To        string `json:"to,omitempty"`
}

// dispositions reads StateTopic whole.
func (b *Inbox) dispositions(ctx context.Context) (map[string]Disposition, error) {
	m := map[string]Disposition{}
	exists, err := b.exists(ctx, StateTopic)
	if err != nil || !exists {
		return m, err
	}
	starts, ends, err := b.bounds(ctx, StateTopic)
	if err != nil {
		return nil, fmt.Errorf("reading the state of dead letters: %w", err)
	}
	err = b.scan(ctx, starts, ends, func(r *kgo.Record) error {
		var d Disposition
		switch {
		case r.Value == nil:
			delete(m, string(r.Key))
		case json.Unmarshal(r.Value, &d) == nil:
			m[string(r.Key)] = d
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the state of dead letters: %w", err)
	}
	return m, nil
}

// ensureState creates StateTopic when it is missing.
func (b *Inbox) ensureState(ctx context.Context) error {
	if exists, err := b.exists(ctx, StateTopic); err != nil || exists {
		return err
	}
	compact := "compact"
	resp, err := b.adm.CreateTopic(ctx, 1, -1, map[string]*string{"cleanup.policy": &compact}, StateTopic)
	if err == nil {
		err = resp.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating the topic %s, which keeps what became of dead letters: %w", StateTopic, err)
	}
	return nil
}

func (b *Inbox) exists(ctx context.Context, topic string) (bool, error) {
	ts, err := b.adm.ListTopics(ctx, topic)
	if err != nil {
		return false, fmt.Errorf("asking for the topic %s: %w", topic, err)
	}
	d, ok := ts[topic]
	if ok && d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return false, fmt.Errorf("asking for the topic %s: %w", topic, d.Err)
	}
	return ok && d.Err == nil, nil
}

// firstOpen returns where reading the open letters of topics may begin: the
// group's committed offsets, or the logs' starts where they are higher or the offsets make
// no sense (the topic was made again).
func (b *Inbox) firstOpen(ctx context.Context, starts, ends map[string]map[int32]int64) (map[string]map[int32]int64, error) {
	committed, err := worker.Committed(ctx, b.adm, Group)
	if err != nil {
		return nil, err
	}
	from := map[string]map[int32]int64{}
	for t, ps := range starts {
		from[t] = map[int32]int64{}
		for p, start := range ps {
			from[t][p] = start
			if o, ok := committed.Lookup(t, p); ok && o.Err == nil && o.At <= ends[t][p] {
				from[t][p] = max(start, o.At)
			}
		}
	}
	return from, nil
}

// commitFirstOpen moves the group's offsets to the first letter of each partition
// that is still open.
func (b *Inbox) commitFirstOpen(ctx context.Context, first map[string]map[int32]int64) error {
	os := kadm.Offsets{}
	for t, ps := range first {
		for p, o := range ps {
			os.AddOffset(t, p, o, -1)
		}
	}
	resp, err := b.adm.CommitOffsets(ctx, Group, os)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return fmt.Errorf("committing the progress of group %s: %w", Group, err)
	}
	return nil
}

func stateRecord(l *Letter, d Disposition) (*kgo.Record, error) {
	v, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: StateTopic, Key: []byte(event.Position(l.Topic, l.Partition, l.Offset)), Value: v}, nil
}
