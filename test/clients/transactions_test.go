package clients

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// TestTransform has every client that has transactions copy a topic, in transactions
// that take the offsets along and of which every fifth is aborted, while the broker
// is killed with -9 (but for clients that cannot bear it). Each record is there once for readers of what is committed.
func TestTransform(t *testing.T) {
	t.Parallel()
	eachGroup(t, func(c Client) bool { return c.Transactions }, func(t *testing.T, c Client, protocol string) {
		const partitions, first, second = 4, 400, 400
		s := leatproc.Serve(t)
		a := admin(t, s)
		createTopic(t, a, partitions, "from", "to")
		put := func(from, n int) {
			t.Helper()
			cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			var records []*kgo.Record
			for i := from; i < from+n; i++ {
				records = append(records, &kgo.Record{Topic: "from", Partition: int32(i % partitions), Key: fmt.Append(nil, i%7), Value: fmt.Append(nil, i)})
			}
			if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		put(0, first)
		command := append(c.command(t), "transform", s.Addr, "transformers", "from", "to", "transform-"+c.Name, protocol)
		p := leatproc.Run(t, "", command[0], command[1:]...)
		commits, aborts, copied := 0, 0, 0
		upTo := func(n int) {
			t.Helper()
			for copied < n {
				line, ok := <-p.Stdout
				if !ok {
					t.Fatalf("the client ended after %d of %d records: %v", copied, n, p.Wait(wait))
				}
				var size int
				switch {
				case scan(line, "committed\t%d", &size):
					commits++
					copied += size
				case scan(line, "aborted\t%d", &size):
					aborts++
				default:
					t.Fatalf("%q is neither committed nor aborted", line)
				}
			}
		}
		upTo(first / 2)
		if c.Forgets == "" {
			s.Kill()
			s.Start(t)
		}
		put(first, second)
		leatproc.Until(t, wait, "all is copied", func() error {
			select {
			case <-p.Ended():
				t.Fatalf("the client ended: %v", p.Wait(wait))
			default:
			}
			offsets, err := a.FetchOffsets(t.Context(), "transformers")
			if err != nil {
				return err
			}
			total := 0
			for _, o := range offsets.Offsets()["from"] {
				total += int(o.At)
			}
			if err := leatproc.Atleast(total, first+second); err != nil {
				return fmt.Errorf("%w; the client's last lines:\n%s", err, p.Tail())
			}
			return nil
		})
		_ = p.Stdin.Close()
		for line := range p.Stdout {
			if strings.HasPrefix(line, "committed") {
				commits++
			} else {
				aborts++
			}
		}
		if err := p.Wait(wait); err != nil {
			t.Error(err)
		}

		all, err := readTopic(t, s, "to", false)
		if err != nil {
			t.Fatal(err)
		}
		good, err := readTopic(t, s, "to", true)
		if err != nil {
			t.Fatal(err)
		}
		copies := map[string]int{}
		last := map[int32]int{}
		for _, r := range good {
			copies[string(r.Value)]++
			var i int
			if !scan(string(r.Value), "%d", &i) || int(r.Partition) != i%partitions || string(r.Key) != fmt.Sprint(i%7) {
				t.Errorf("partition %d has key %q, value %q", r.Partition, r.Key, r.Value)
			}
			if i < last[r.Partition] {
				t.Errorf("partition %d has %d after %d", r.Partition, i, last[r.Partition])
			}
			last[r.Partition] = i
		}
		for i := range first + second {
			if n := copies[fmt.Sprint(i)]; n != 1 {
				t.Errorf("record %d is there %d times", i, n)
			}
		}
		if len(good) != first+second {
			t.Errorf("%d records are committed, want %d", len(good), first+second)
		}
		if aborts == 0 || len(all) <= len(good) {
			t.Errorf("nothing was aborted: %d aborts, %d records of which %d are committed", aborts, len(all), len(good))
		}
		t.Logf("%d commits, %d aborts; %d records, %d of them committed", commits, aborts, len(all), len(good))
	})
}

func scan(line, format string, n *int) bool {
	_, err := fmt.Sscanf(line, format, n)
	return err == nil
}

// readTopic reads a topic from its beginning to its end, all or what is committed.
func readTopic(t *testing.T, s *leatproc.Server, topic string, onlyCommitted bool) ([]*kgo.Record, error) {
	t.Helper()
	level := kgo.ReadUncommitted()
	if onlyCommitted {
		level = kgo.ReadCommitted()
	}
	// Markers are read, too: they say that the end is reached.
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(level), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := admin(t, s).ListEndOffsets(t.Context(), topic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	for p, o := range ends[topic] {
		if o.Err != nil {
			return nil, o.Err
		}
		if o.Offset > 0 {
			left[p] = o.Offset
		}
	}
	var all []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			return nil, errors.Join(err, fmt.Errorf("%d partitions of %s are not read to the end", len(left), topic))
		}
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return all, nil
}

// TestReadCommitted has every client read a topic with open, committed and aborted
// transactions at both isolation levels.
func TestReadCommitted(t *testing.T) {
	t.Parallel()
	s := leatproc.Serve(t)
	a := admin(t, s)
	createTopic(t, a, 1, "mixed")
	producer := func(id string) *kgo.Client {
		cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.TransactionalID(id), kgo.DefaultProduceTopic("mixed"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	one, other := producer("one"), producer("other")
	put := func(cl *kgo.Client, value string) {
		t.Helper()
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(cl *kgo.Client, how kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(cl *kgo.Client) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
	}
	// Two producers take turns in one partition; one's transactions are committed
	// and aborted, the other's the other way round.
	var wanted []string
	for i := range 20 {
		begin(one)
		begin(other)
		for j := range 3 {
			put(one, fmt.Sprint("one ", i, " ", j))
			put(other, fmt.Sprint("other ", i, " ", j))
			wanted = append(wanted, fmt.Sprint([]string{"one ", "other "}[i%2], i, " ", j))
		}
		if i%2 == 0 {
			end(one, kgo.TryCommit)
			end(other, kgo.TryAbort)
		} else {
			end(other, kgo.TryCommit)
			end(one, kgo.TryAbort)
		}
	}
	begin(one)
	put(one, "still open")
	t.Cleanup(func() { _ = one.EndTransaction(t.Context(), kgo.TryAbort) })

	each(t, func(c Client) bool { return c.ReadCommitted }, func(t *testing.T, c Client) {
		m := c.consume(t, s, "committed-"+c.Name, classic, committed, "mixed")
		var got []string
		m.read(t, len(wanted), func(r record) { got = append(got, string(r.value)) })
		if rest := m.leave(t); len(rest) > 0 {
			t.Errorf("%d records too many", len(rest))
		}
		if strings.Join(got, ",") != strings.Join(wanted, ",") {
			t.Errorf("read\n%q\nwant\n%q", got, wanted)
		}
		m = c.consume(t, s, "all-"+c.Name, classic, uncommitted, "mixed")
		m.read(t, 2*len(wanted)+1, func(record) {})
		m.leave(t)
	})
}
