package clients

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// TestExchange has every client send all its shapes of records in all its
// codecs, and every client read what all of them sent.
func TestExchange(t *testing.T) {
	t.Parallel()
	s := leatproc.Serve(t)
	a := admin(t, s)
	var topics []string
	t.Run("send", func(t *testing.T) {
		each(t, every, func(t *testing.T, c Client) {
			for _, codec := range c.Codecs {
				topic := c.Name + "." + codec
				createTopic(t, a, 2, topic)
				sent := messages(c, codec)
				if n := c.sendAll(t, s, topic, codec, sent); n != len(sent) {
					t.Fatalf("%d records acknowledged of %d", n, len(sent))
				}
				records := stored(t, s, a, topic)
				checkSent(t, c, sent, records)
				checkCodec(t, codec, records)
			}
		})
	})
	listed, err := a.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	topics = listed.Names()
	want := byPlace(stored(t, s, a, topics...))
	if len(want) == 0 {
		t.Skip("no client is here")
	}
	t.Run("read", func(t *testing.T) {
		each(t, every, func(t *testing.T, c Client) {
			m := c.consume(t, s, "exchange-"+c.Name, classic, uncommitted, topics...)
			seen := map[at]int{}
			defer func() {
				for place := range want {
					if t.Failed() && seen[place] == 0 {
						t.Logf("not read: %v", place)
					}
				}
			}()
			m.read(t, len(want), func(r record) {
				place := at{r.topic, r.partition, r.offset}
				seen[place]++
				if err := same(r, c.asRead(want[place])); err != nil {
					t.Errorf("%s/%d/%d: %v", r.topic, r.partition, r.offset, err)
				}
			})
			m.leave(t)
			if len(seen) != len(want) {
				t.Errorf("read %d records, want each of %d once", len(seen), len(want))
			}
			t.Logf("%d records of %d topics read", len(seen), len(topics))
		})
	})
}

// sendAll sends records and returns how many were acknowledged.
func (c Client) sendAll(t *testing.T, s *leatproc.Server, topic, codec string, records []record) (n int) {
	t.Helper()
	if c.Name == "kcat" {
		for _, group := range kcatGroups(records) {
			n += c.kcatSend(t, s, topic, codec, group)
		}
		return n
	}
	p := c.produce(t, s, topic, codec, c.Idempotent)
	for _, r := range records {
		p.send(t, r)
	}
	_ = p.Stdin.Close()
	for range p.acks {
		n++
	}
	if err := p.Wait(wait); err != nil {
		t.Fatal(err)
	}
	return n
}

// checkSent compares what is in the log with what was sent, record by record.
func checkSent(t *testing.T, c Client, sent []record, records []*kgo.Record) {
	t.Helper()
	if len(records) != len(sent) {
		t.Errorf("%d records in the log, %d sent", len(records), len(sent))
	}
	left := slices.Clone(sent)
	for _, r := range records {
		i := slices.IndexFunc(left, func(m record) bool {
			if !c.Timestamps {
				m.time = r.Timestamp.UnixMilli()
			}
			if c.NoEmptyValues && len(m.value) == 0 {
				m.value = nil
			}
			return m.partition == int(r.Partition) && same(m, r) == nil
		})
		if i < 0 {
			t.Errorf("%s/%d/%d was not sent so: time %d, key %q, value %q, headers %q", r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli(), clip(r.Key), clip(r.Value), r.Headers)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
}

// checkCodec makes sure that the client has compressed: one that silently does
// not (librdkafka where Produce 0 is not advertised, KAFKA-18659) would pass
// unseen. Clients leave alone what would not become smaller.
func checkCodec(t *testing.T, codec string, records []*kgo.Record) {
	t.Helper()
	large := 0
	for _, r := range records {
		got := codecs[r.Attrs.CompressionType()]
		if got != codec && (got != "none" || len(r.Value) > 10_000) {
			t.Errorf("%s/%d/%d is compressed with %s, want %s", r.Topic, r.Partition, r.Offset, got, codec)
		}
		if len(r.Value) > 10_000 {
			large++
		}
	}
	if large == 0 {
		t.Error("no large record in the log")
	}
}

// read reads n records.
func (m *consumer) read(t *testing.T, n int, each func(record)) {
	t.Helper()
	deadline := time.After(wait)
	for i := range n {
		select {
		case r, ok := <-m.records:
			if !ok {
				t.Fatalf("%s ended after %d of %d records\n%s", m.Name, i, n, m.Tail())
			}
			each(r)
		case <-deadline:
			t.Fatalf("%.100s: %d of %d records after %v\n%s", m.Name, i, n, wait, m.Tail())
		}
	}
}
