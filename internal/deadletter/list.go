package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Summary is one dead-letter topic in a list.
type Summary struct {
	Topic string `json:"topic"`
	// Open counts the letters that wait for somebody, Redriven those that do not.
	Open     int `json:"open"`
	Redriven int `json:"redriven"`
	// Oldest is when the oldest open letter failed (when it was written, if its
	// dialect does not say); zero when none is open.
	Oldest time.Time `json:"oldest,omitzero"`
	// Class and Message are those of the commonest cause among the open ones, of
	// which there are ClassOpen.
	Class     string `json:"class,omitempty"`
	Message   string `json:"message,omitempty"`
	ClassOpen int    `json:"classOpen,omitempty"`
	// Sources are the topics that the open letters came from.
	Sources []string `json:"sources,omitempty"`
}

// List sums up dead-letter topics, by name. Without topics it finds them itself: by
// the headers of their newest records, not by their names.
func (b *Inbox) List(ctx context.Context, topics ...string) ([]Summary, error) {
	if len(topics) == 0 {
		var err error
		if topics, err = b.find(ctx); err != nil {
			return nil, err
		}
	}
	slices.Sort(topics)
	out := make([]Summary, 0, len(topics))
	for _, t := range topics {
		s, err := b.summary(ctx, t)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (b *Inbox) summary(ctx context.Context, topic string) (Summary, error) {
	s := Summary{Topic: topic}
	sources, causes := map[string]bool{}, newCauses()
	err := b.letters(ctx, topic, true, func(l *Letter) error {
		if l.State != Open {
			s.Redriven++
			return nil
		}
		s.Open++
		if at := l.failedAt(); s.Oldest.IsZero() || at.Before(s.Oldest) {
			s.Oldest = at
		}
		if l.Source.Topic != "" {
			sources[l.Source.Topic] = true
		}
		causes.add(l.Fingerprint, l)
		return nil
	})
	if err != nil {
		return s, err
	}
	s.Sources = slices.Sorted(maps.Keys(sources))
	if gs := causes.sorted(); len(gs) > 0 {
		s.Class, s.Message, s.ClassOpen = gs[0].Class, gs[0].Message, gs[0].Open
	}
	return s, nil
}

func (l *Letter) failedAt() time.Time {
	if !l.FirstFailed.IsZero() {
		return l.FirstFailed
	}
	return l.Time
}

// find returns the topics whose newest record, in any partition, has dead-letter
// headers. Internal topics (those that begin with two underscores) are left out.
func (b *Inbox) find(ctx context.Context) ([]string, error) {
	all, err := b.adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	var names []string
	for _, t := range all.Names() {
		if !strings.HasPrefix(t, "__") && t != StateTopic {
			names = append(names, t)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	starts, ends, err := b.bounds(ctx, names...)
	if err != nil {
		return nil, err
	}
	newest := map[string]map[int32]int64{}
	for t, ps := range ends {
		newest[t] = map[int32]int64{}
		for p, end := range ps {
			newest[t][p] = max(end-1, starts[t][p])
		}
	}
	found := map[string]bool{}
	err = b.scan(ctx, newest, ends, func(r *kgo.Record) error {
		if _, ok := Read(r); ok {
			found[r.Topic] = true
		}
		return nil
	})
	if err != nil && (len(found) == 0 || errors.Is(err, context.Canceled)) {
		return nil, fmt.Errorf("looking for dead-letter topics: %w", err)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// GroupBy says what letters have in common in a Show.
type GroupBy string

const (
	ByFingerprint GroupBy = "fingerprint"
	ByClass       GroupBy = "class"
	BySource      GroupBy = "source"
)

// Cause is a group of open letters.
type Cause struct {
	// Key is the fingerprint, class or source topic they share.
	Key   string `json:"key"`
	Open  int    `json:"open"`
	Class string `json:"class,omitempty"`
	// Message is the newest letter's, in full.
	Message string `json:"message,omitempty"`
	// First and Last are when the oldest and newest failed.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Sample is the newest letter's place, for Get.
	Sample string `json:"sample"`
	// Sources counts the letters per source topic.
	Sources map[string]int `json:"sources"`
}

// Show groups the open letters of a topic, the largest group first.
func (b *Inbox) Show(ctx context.Context, topic string, by GroupBy) ([]Cause, error) {
	key := func(l *Letter) string { return l.Fingerprint }
	switch by {
	case ByFingerprint, "":
	case ByClass:
		key = func(l *Letter) string { return l.Class }
	case BySource:
		key = func(l *Letter) string { return l.Source.Topic }
	default:
		return nil, fmt.Errorf("cannot group dead letters by %q; use fingerprint, class or source", by)
	}
	cs := newCauses()
	err := b.letters(ctx, topic, false, func(l *Letter) error {
		cs.add(key(l), l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cs.sorted(), nil
}

type causes map[string]*Cause

func newCauses() causes { return causes{} }

func (cs causes) add(key string, l *Letter) {
	at := l.failedAt()
	c := cs[key]
	if c == nil {
		c = &Cause{Key: key, First: at, Sources: map[string]int{}}
		cs[key] = c
	}
	c.Open++
	c.Sources[l.Source.Topic]++
	if at.Before(c.First) {
		c.First = at
	}
	if !at.Before(c.Last) {
		c.Last, c.Class, c.Message, c.Sample = at, l.Class, l.Message, l.ID()
	}
}

func (cs causes) sorted() []Cause {
	out := make([]Cause, 0, len(cs))
	for _, c := range cs {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Key, b.Key))
	})
	return out
}
