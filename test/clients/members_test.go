package clients

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// leave ends a member in good order: it commits and leaves the group. It returns
// what it had read and nobody had taken.
func (m *consumer) leave(t *testing.T) (rest []record) {
	t.Helper()
	m.stop(t)
	for r := range m.records {
		rest = append(rest, r)
	}
	if err := m.Wait(wait); err != nil {
		t.Error(err)
	}
	return rest
}

// stop asks a member to leave.
func (m *consumer) stop(t *testing.T) {
	t.Helper()
	if m.c.Name == "kcat" {
		m.Signal(t, syscall.SIGTERM)
		return
	}
	_ = m.Stdin.Close()
}

// settled waits until a group is stable with this many members, all of which
// have partitions.
func settled(t *testing.T, a *kadm.Client, group, protocol string, members int) {
	t.Helper()
	leatproc.Until(t, wait, "group "+group, func() error {
		state, has := "", []int(nil) // how many partitions each member has
		if protocol == kip848 {
			described, err := a.DescribeConsumerGroups(t.Context(), group)
			if err != nil {
				return err
			}
			state = described[group].State
			for _, m := range described[group].Members {
				n := 0
				for _, partitions := range m.Assignment {
					n += len(partitions)
				}
				has = append(has, n)
			}
		} else {
			described, err := a.DescribeGroups(t.Context(), group)
			if err != nil {
				return err
			}
			state = described[group].State
			for _, m := range described[group].Members {
				n := 0
				if c, ok := m.Assigned.AsConsumer(); ok {
					n = len(c.Topics)
				}
				has = append(has, n)
			}
		}
		if state != "Stable" || len(has) != members || slices.Contains(has, 0) {
			return fmt.Errorf("%s, partitions by member: %v", state, has)
		}
		return nil
	})
}

// TestMembersShareTheWork: two members divide the partitions, one leaves and the
// other takes all, a third goes on where the second stopped; each record is read
// once.
func TestMembersShareTheWork(t *testing.T) {
	t.Parallel()
	s := leatproc.Serve(t)
	a := admin(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	eachGroup(t, every, func(t *testing.T, c Client, protocol string) {
		topic, group := "work-"+c.Name+"-"+protocol, "workers-"+c.Name+"-"+protocol
		createTopic(t, a, 4, topic)
		put := func(n int) {
			t.Helper()
			client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			var records []*kgo.Record
			for i := range n {
				records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % 4), Value: fmt.Append(nil, i)})
			}
			if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		first, second := c.consume(t, s, group, protocol, uncommitted, topic), c.consume(t, s, group, protocol, uncommitted, topic)
		settled(t, a, group, protocol, 2)
		put(200)
		seen := map[at]int{}
		count := func(r record) { seen[at{r.topic, r.partition, r.offset}]++ }
		first.read(t, 100, count) // two of four partitions each
		second.read(t, 100, count)
		once(t, seen, 200)

		if rest := first.leave(t); len(rest) > 0 {
			t.Errorf("the member that left has read %d more records", len(rest))
		}
		settled(t, a, group, protocol, 1)
		put(200)
		second.read(t, 200, count)
		once(t, seen, 400)
		if rest := second.leave(t); len(rest) > 0 {
			t.Errorf("the last member has read %d more records", len(rest))
		}
		committed, err := a.FetchOffsets(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(4) {
			if o, ok := committed.Lookup(topic, p); !ok || o.At != 100 {
				t.Errorf("partition %d is committed at %d, want 100", p, o.At)
			}
		}

		third := c.consume(t, s, group, protocol, uncommitted, topic)
		put(40)
		third.read(t, 40, count)
		if rest := third.leave(t); len(rest) > 0 {
			t.Errorf("read %d records too many", len(rest))
		}
		once(t, seen, 440)
	})
}

// once fails the test unless n records were read, each once.
func once(t *testing.T, seen map[at]int, n int) {
	t.Helper()
	var twice []string
	for place, times := range seen {
		if times != 1 {
			twice = append(twice, fmt.Sprint(place, " ", times, " times"))
		}
	}
	slices.Sort(twice)
	if len(twice) > 0 || len(seen) != n {
		t.Fatalf("%d records read, want %d; more than once: %v", len(seen), n, twice)
	}
}
