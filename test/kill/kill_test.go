package kill

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

const (
	kills      = 12
	between    = 400 // acknowledgements of each producer between two kills
	partitions = 6
	window     = 200 // records that a producer has under way
	patience   = 90 * time.Second
)

func client(t *testing.T, s *leatproc.Server, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Addr), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestKilledAgainAndAgain(t *testing.T) {
	s := leatproc.Serve(t)
	a := kadm.NewClient(client(t, s, kgo.AlwaysRetryEOF()))
	for _, topic := range []string{"all", "one"} {
		if created, err := a.CreateTopic(t.Context(), partitions, 1, nil, topic); err != nil || created.Err != nil {
			t.Fatal(err, created.Err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	producers := []*producer{
		newProducer(t, s, "a", "all", true),
		newProducer(t, s, "b", "all", true),
		// acks=1 is in a file before the answer: power may take it, a kill may not.
		newProducer(t, s, "c", "one", false),
	}
	for _, p := range producers {
		go p.run(ctx)
	}
	r := newReader(t, s)
	go r.run(reading)

	var topics []string
	commits := 0
	for i := range kills {
		for _, p := range producers {
			p.waitFor(t, (i+1)*between)
		}
		r.waitFor(t, commits+1)
		topic := fmt.Sprintf("made-before-kill-%d", i)
		if made, err := a.CreateTopic(ctx, 1, 1, nil, topic); err != nil || made.Err != nil {
			t.Fatal(err, made.Err)
		}
		topics = append(topics, topic)
		busy := 0
		for _, p := range producers {
			busy += p.underWay()
		}
		if busy == 0 {
			t.Fatalf("kill %d meets nobody at work", i)
		}
		s.Kill()
		committed := r.acknowledged()
		if i%3 == 2 { // and once more in the middle of the recovery
			again := leatproc.Run(t, "", leatproc.Build(t, "./cmd/leat"), "serve", "--data", s.Data, "--listen", s.Addr)
			again.Logged(t, "data directory is open", patience)
			again.Kill()
		}
		s.Start(t)
		commits, _ = r.count()
		checkCommits(t, a, committed)
		listed, err := a.ListTopics(t.Context(), topics...)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			t.Fatalf("after kill %d: a topic that was created: %v", i, err)
		}
	}
	stop()
	for _, p := range producers {
		p.finish(t)
	}
	ends := endOffsets(t, a, "all")
	leatproc.Until(t, patience, "the group reads and commits all", func() error {
		for p, o := range r.acknowledged() {
			if o < ends[p] {
				return fmt.Errorf("partition %d is committed up to %d of %d", p, o, ends[p])
			}
		}
		return nil
	})
	stopReading()
	<-r.done
	checkCommits(t, a, ends)

	for _, topic := range []string{"all", "one"} {
		log := readAll(t, s, a, topic)
		for _, p := range producers {
			if p.topic == topic {
				p.check(t, log)
			}
		}
		checkNobodyElse(t, log, producers)
		if topic == "all" {
			r.check(t, log)
		}
	}
}

// checkCommits fails the test unless the group's offsets are at least what was acknowledged.
func checkCommits(t *testing.T, a *kadm.Client, acknowledged map[int32]int64) {
	t.Helper()
	offsets, err := a.FetchOffsets(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range acknowledged {
		if o, ok := offsets.Lookup("all", p); !ok || o.Err != nil || o.At < want {
			t.Errorf("partition %d: the commit of %d was acknowledged, and %d is there (%v)", p, want, o.At, o.Err)
		}
	}
}

func endOffsets(t *testing.T, a *kadm.Client, topic string) map[int32]int64 {
	t.Helper()
	listed, err := a.ListEndOffsets(t.Context(), topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends
}

// readAll reads a topic from its beginning to its end.
func readAll(t *testing.T, s *leatproc.Server, a *kadm.Client, topic string) []*kgo.Record {
	t.Helper()
	missing := 0
	for _, end := range endOffsets(t, a, topic) {
		missing += int(end)
	}
	cl := client(t, s, kgo.ConsumeTopics(topic), kgo.AlwaysRetryEOF())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []*kgo.Record
	for len(all) < missing {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records of %s: %v", len(all), missing, topic, err)
		}
		all = append(all, fetches.Records()...)
	}
	if len(all) != missing {
		t.Errorf("%d records of %s, want %d", len(all), topic, missing)
	}
	return all
}

// waitFor waits until a count that others raise has come to n.
func waitFor(t *testing.T, what string, n int, count func() (int, <-chan struct{}), failed func() error) {
	t.Helper()
	deadline := time.After(patience)
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
			t.Fatalf("%s: %d of %d after %v", what, got, n, patience)
		}
	}
}
