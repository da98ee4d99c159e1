package traffic

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
)

// Churner creates topics, writes into them, deletes them and makes them again;
// each fifth one it leaves.
type Churner struct {
	cl   *kgo.Client
	a    *kadm.Client
	addr string
	done chan struct{}
	ends atomic.Int64 // of the broker

	mu    sync.Mutex
	ids   map[string][16]byte // of topics that stay
	gone  map[string]bool     // topics that were deleted for good
	steps int
	made  int // incarnations
	err   error
}

// NewChurner makes a churner; start it with `go c.Run`.
func NewChurner(t testing.TB, addr string) *Churner {
	cl := Client(t, addr, kgo.AlwaysRetryEOF())
	return &Churner{cl: cl, a: kadm.NewClient(cl), addr: addr, done: make(chan struct{}), ids: map[string][16]byte{}, gone: map[string]bool{}}
}

// perTopic is how many records an incarnation of a topic gets.
const perTopic = 3

// Run goes on until ctx ends.
func (c *Churner) Run(ctx context.Context) {
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

func (c *Churner) step(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	c.steps++
}

// until asks until there is an answer. done is the error that says that it was
// done already: right only if an end of the broker may have taken the first answer.
func (c *Churner) until(ctx context.Context, done error, ask func() error) error {
	ends := c.ends.Load()
	for {
		err := ask()
		_, answered := errors.AsType[*kerr.Error](err)
		switch {
		case err == nil, errors.Is(err, done) && c.ends.Load() > ends:
			return nil
		case answered && !kerr.IsRetriable(err) || ctx.Err() != nil:
			return err
		}
	}
}

// create creates a topic.
func (c *Churner) create(ctx context.Context, topic string) ([16]byte, error) {
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
func (c *Churner) remove(ctx context.Context, topic string) error {
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
func (c *Churner) list(ctx context.Context, topic string) (map[string][16]byte, error) {
	for {
		ids, err := TopicIDs(ctx, c.cl, topic)
		if err == nil || ctx.Err() != nil {
			return ids, err
		}
	}
}

// write fills an incarnation of a topic and reads all of it.
func (c *Churner) write(ctx context.Context, topic string, incarnation int) error {
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

// Interrupt says that the broker is about to end. A request at that time may have
// been carried out and sent again by the client, which does not tell.
func (c *Churner) Interrupt() { c.ends.Add(1) }

// Done is closed when Run has ended.
func (c *Churner) Done() <-chan struct{} { return c.done }

// Count is how many steps were done.
func (c *Churner) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps
}

// WaitFor waits until n steps were done.
func (c *Churner) WaitFor(t testing.TB, n int) {
	t.Helper()
	leatproc.Until(t, Patience, "creations and deletions of topics", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil {
			t.Fatal(c.err)
		}
		return leatproc.Atleast(c.steps, n)
	})
}

// Deleted are the topics that were deleted for good, as acknowledged.
func (c *Churner) Deleted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.gone))
}

// Kept are the topics that stay, with their ids.
func (c *Churner) Kept() map[string][16]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.ids)
}

// CheckTopics fails the test if a deleted topic is back, or one that stays is
// away or another one.
func (c *Churner) CheckTopics(t testing.TB, deleted []string, kept map[string][16]byte) {
	t.Helper()
	var ids map[string][16]byte
	Ask(t, "the topics", func() (err error) {
		ids, err = TopicIDs(t.Context(), c.cl)
		return err
	})
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

// Check looks, after the end of Run, once more at all topics, and at what the ones that stay hold.
func (c *Churner) Check(t testing.TB) {
	if c.err != nil {
		t.Error(c.err)
	}
	c.CheckTopics(t, c.Deleted(), c.Kept())
	for topic := range c.Kept() {
		if ends := Ends(t, c.a, topic); ends[0] != 0 || ends[1] != perTopic {
			t.Errorf("%s holds %v records", topic, ends)
		}
	}
	t.Logf("%d topics made, %d deleted for good, %d stay", c.made, len(c.gone), len(c.ids))
}
