package kill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

// churner creates topics, writes into them, deletes them and makes them again;
// each fifth one it leaves.
type churner struct {
	cl   *kgo.Client
	a    *kadm.Client
	addr string
	done chan struct{}
	// kills counts the kills, each before it is done. A request during one may
	// have been carried out and sent again by the client, which does not tell.
	kills atomic.Int64

	mu    sync.Mutex
	ids   map[string][16]byte // of topics that stay
	gone  map[string]bool     // topics that were deleted for good
	steps int
	made  int // incarnations
	err   error
}

func newChurner(t *testing.T, addr string) *churner {
	cl := traffic.Client(t, addr, kgo.AlwaysRetryEOF())
	return &churner{cl: cl, a: kadm.NewClient(cl), addr: addr, done: make(chan struct{}), ids: map[string][16]byte{}, gone: map[string]bool{}}
}

// perTopic is how many records an incarnation of a topic gets.
const perTopic = 3

func (c *churner) run(ctx context.Context) {
	defer close(c.done)
	for n := 0; ctx.Err() == nil; n++ {
		topic := fmt.Sprintf("churn-%d", n)
		// Twice under the same name: the second one must know nothing of the first.
		for again := range 2 {
			id, err := c.create(ctx, topic)
			if err == nil {
				err = c.write(ctx, topic, again)
			}
			if err == nil && n%5 == 0 && again == 1 {
				c.step(func() { c.ids[topic] = id })
				break
			}
			if err == nil {
				err = c.remove(ctx, topic)
			}
			if err == nil && again == 1 {
				c.step(func() { c.gone[topic] = true })
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				c.step(func() { c.err = fmt.Errorf("%s, made %d times before: %w", topic, again, err) })
				return
			}
		}
	}
}

func (c *churner) step(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	c.steps++
}

// until asks until there is an answer. done is the error that says that it was
// done already: right only if a kill may have taken the first answer.
func (c *churner) until(ctx context.Context, done error, ask func() error) error {
	kills := c.kills.Load()
	for {
		err := ask()
		_, answered := errors.AsType[*kerr.Error](err)
		switch {
		case err == nil, errors.Is(err, done) && c.kills.Load() > kills:
			return nil
		case answered || ctx.Err() != nil:
			return err
		}
	}
}

// create creates a topic.
func (c *churner) create(ctx context.Context, topic string) ([16]byte, error) {
	err := c.until(ctx, kerr.TopicAlreadyExists, func() error {
		_, err := c.a.CreateTopic(ctx, 2, 1, nil, topic)
		return err
	})
	if err != nil {
		return [16]byte{}, fmt.Errorf("creation: %w", err)
	}
	ids, err := c.list(ctx, topic)
	if _, there := ids[topic]; err == nil && !there {
		err = errors.New("it was created and is not there")
	}
	c.step(func() { c.made++ })
	return ids[topic], err
}

// remove deletes a topic.
func (c *churner) remove(ctx context.Context, topic string) error {
	err := c.until(ctx, kerr.UnknownTopicOrPartition, func() error {
		_, err := c.a.DeleteTopic(ctx, topic)
		return err
	})
	if err != nil {
		return fmt.Errorf("deletion: %w", err)
	}
	ids, err := c.list(ctx, topic)
	if _, there := ids[topic]; err == nil && there {
		err = errors.New("it was deleted and is there")
	}
	c.step(func() {})
	return err
}

// list asks for a topic until it gets an answer.
func (c *churner) list(ctx context.Context, topic string) (map[string][16]byte, error) {
	for {
		ids, err := traffic.TopicIDs(ctx, c.cl, topic)
		if err == nil || ctx.Err() != nil {
			return ids, err
		}
	}
}

// write fills an incarnation of a topic and reads all of it.
func (c *churner) write(ctx context.Context, topic string, incarnation int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.AlwaysRetryEOF(), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {1: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer cl.Close()
	var want, got []string
	for i := range perTopic {
		want = append(want, fmt.Sprintf("%s %d %d", topic, incarnation, i))
		if err := cl.ProduceSync(ctx, &kgo.Record{Partition: 1, Value: []byte(want[i])}).FirstErr(); err != nil {
			return err
		}
	}
	for len(got) < len(want) && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if ctx.Err() == nil && !slices.Equal(got, want) {
		return fmt.Errorf("it holds %q instead of %q", got, want)
	}
	return ctx.Err()
}

func (c *churner) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps
}

func (c *churner) waitFor(t *testing.T, n int) {
	t.Helper()
	leatproc.Until(t, traffic.Patience, "creations and deletions of topics", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil {
			t.Fatal(c.err)
		}
		return leatproc.Atleast(c.steps, n)
	})
}

func (c *churner) deleted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.gone))
}

func (c *churner) kept() map[string][16]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.ids)
}

// checkTopics fails the test if a deleted topic is back, or one that stays is
// away or another one.
func (c *churner) checkTopics(t *testing.T, deleted []string, kept map[string][16]byte) {
	t.Helper()
	ids, err := traffic.TopicIDs(t.Context(), c.cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range deleted {
		if _, there := ids[topic]; there {
			t.Errorf("%s was deleted and is back", topic)
		}
	}
	for topic, id := range kept {
		if got, there := ids[topic]; got != id {
			t.Errorf("%s: its id was %x and is %x (%v)", topic, id, got, there)
		}
	}
}

// check looks once more at all topics, and at what the ones that stay hold.
func (c *churner) check(t *testing.T) {
	if c.err != nil {
		t.Error(c.err)
	}
	c.checkTopics(t, c.deleted(), c.kept())
	for topic := range c.kept() {
		if ends := traffic.Ends(t, c.a, topic); ends[0] != 0 || ends[1] != perTopic {
			t.Errorf("%s holds %v records", topic, ends)
		}
	}
	t.Logf("%d topics made, %d deleted for good, %d stay", c.made, len(c.gone), len(c.ids))
}
