package traffic

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// Patience is how long tests wait for something that must come.
const Patience = 90 * time.Second

// Client is a client that comes back quickly after a broker's restart; it ends
// with the test.
func Client(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// Admin is a client for administration.
func Admin(t testing.TB, addr string) *kadm.Client {
	t.Helper()
	return kadm.NewClient(Client(t, addr, kgo.AlwaysRetryEOF()))
}

// CreateTopic creates a topic.
func CreateTopic(t testing.TB, a *kadm.Client, topic string, partitions int, configs map[string]string) {
	t.Helper()
	set := map[string]*string{}
	for name, value := range configs {
		set[name] = &value
	}
	created, err := a.CreateTopic(t.Context(), int32(partitions), 1, set, topic)
	if err == nil {
		err = created.Err
	}
	if err != nil {
		t.Fatalf("topic %s: %v", topic, err)
	}
}

// Log is all that a topic holds.
type Log struct {
	Topic string
	// Starts are the log starts by partition.
	Starts  map[int32]int64
	Records []Record // each partition in order
	at      map[Place]ID
}

// Record is which record lies where.
type Record struct {
	Place Place
	ID    ID
}

// Ends are a topic's ends by partition.
func Ends(t testing.TB, a *kadm.Client, topic string) map[int32]int64 {
	t.Helper()
	return offsets(t, topic, a.ListEndOffsets)
}

// Starts are a topic's log starts by partition.
func Starts(t testing.TB, a *kadm.Client, topic string) map[int32]int64 {
	t.Helper()
	return offsets(t, topic, a.ListStartOffsets)
}

func offsets(t testing.TB, topic string, list func(context.Context, ...string) (kadm.ListedOffsets, error)) map[int32]int64 {
	t.Helper()
	at := map[int32]int64{}
	Ask(t, "offsets of "+topic, func() error {
		listed, err := list(t.Context(), topic)
		if err == nil {
			err = listed.Error()
		}
		listed.Each(func(o kadm.ListedOffset) { at[o.Partition] = o.Offset })
		return err
	})
	return at
}

// Ask asks a broker until it answers. For questions that change nothing: a
// broker that has just come back may meet clients whose connections have just
// ended.
func Ask(t testing.TB, what string, ask func() error) {
	t.Helper()
	leatproc.Until(t, 20*time.Second, what, ask)
}

// Read reads a topic from its beginning to its end. Records that nobody can have
// sent fail the test.
func Read(t testing.TB, addr, topic string) *Log {
	t.Helper()
	a := Admin(t, addr)
	defer a.Close()
	log := &Log{Topic: topic, Starts: Starts(t, a, topic), at: map[Place]ID{}}
	want := 0
	for p, end := range Ends(t, a, topic) {
		want += int(end - log.Starts[p])
	}
	cl := Client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AlwaysRetryEOF())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	next := map[int32]int64{}
	for len(log.Records) < want {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records of %s: %v", len(log.Records), want, topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			id, err := parse(r.Value)
			if err != nil {
				t.Errorf("%s/%d/%d: %v", topic, r.Partition, r.Offset, err)
			}
			if r.Offset < max(next[r.Partition], log.Starts[r.Partition]) {
				t.Errorf("%s/%d: offset %d after %d, the log starts at %d", topic, r.Partition, r.Offset, next[r.Partition]-1, log.Starts[r.Partition])
			}
			next[r.Partition] = r.Offset + 1
			log.Records = append(log.Records, Record{placeOf(r), id})
			log.at[placeOf(r)] = id
		})
	}
	if len(log.Records) != want {
		t.Errorf("%d records of %s, want %d", len(log.Records), topic, want)
	}
	return log
}

// CheckOnly fails the test for records that none of these producers has sent.
func (l *Log) CheckOnly(t testing.TB, producers ...*Producer) {
	t.Helper()
	sent := map[string]int{}
	for _, p := range producers {
		p.mu.Lock()
		sent[p.Name] = p.sent
		p.mu.Unlock()
	}
	for _, r := range l.Records {
		if r.ID.N >= sent[r.ID.Producer] {
			t.Errorf("%s at %v: %v, which nobody sent", l.Topic, r.Place, r.ID)
		}
	}
}

// waitFor waits until a count that others raise has come to n.
func waitFor(t testing.TB, what string, n int, count func() (int, <-chan struct{}), failed func() error) {
	t.Helper()
	deadline := time.After(Patience)
	for {
		got, more := count()
		if err := failed(); err != nil {
			t.Fatal(err)
		}
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%s: %d of %d after %v", what, got, n, Patience)
		}
	}
}
