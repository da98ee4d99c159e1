package clients

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// admin is franz-go's client on the server.
func admin(t *testing.T, s *leatproc.Server, opts ...kgo.Opt) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func createTopic(t *testing.T, a *kadm.Client, partitions int32, topics ...string) {
	t.Helper()
	created, err := a.CreateTopics(t.Context(), partitions, 1, nil, topics...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// stored are all records of topics as franz-go reads them, by partition in
// the order of their offsets.
func stored(t *testing.T, s *leatproc.Server, a *kadm.Client, topics ...string) []*kgo.Record {
	t.Helper()
	ends, err := a.ListEndOffsets(t.Context(), topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]map[int32]kgo.Offset{}
	missing := int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().At(0)
		missing += o.Offset
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.ConsumePartitions(from))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var all []*kgo.Record
	for int64(len(all)) < missing {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(all), missing, err)
		}
		all = append(all, fetches.Records()...)
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int {
		return compareAll(compare(a.Topic, b.Topic), compare(a.Partition, b.Partition), compare(a.Offset, b.Offset))
	})
	return all
}

func compare[T string | int32 | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareAll(c ...int) int {
	for _, v := range c {
		if v != 0 {
			return v
		}
	}
	return 0
}

// at is the place of a record.
type at struct {
	topic     string
	partition int
	offset    int64
}

func byPlace(records []*kgo.Record) map[at]*kgo.Record {
	m := map[at]*kgo.Record{}
	for _, r := range records {
		m[at{r.Topic, int(r.Partition), r.Offset}] = r
	}
	return m
}

// same says how what a client read differs from what franz-go read; nil if not.
func same(read record, want *kgo.Record) error {
	switch {
	case want == nil:
		return fmt.Errorf("%s/%d/%d is not in the log", read.topic, read.partition, read.offset)
	case !equal(read.key, want.Key):
		return fmt.Errorf("key %q, want %q", clip(read.key), clip(want.Key))
	case !equal(read.value, want.Value):
		return fmt.Errorf("value %q, want %q", clip(read.value), clip(want.Value))
	case read.time != want.Timestamp.UnixMilli():
		return fmt.Errorf("time %d, want %d", read.time, want.Timestamp.UnixMilli())
	case read.headerText != nil:
		if text := kcatHeaders(want.Headers); *read.headerText != text {
			return fmt.Errorf("headers %q, want %q", *read.headerText, text)
		}
	case !slices.EqualFunc(read.headers, want.Headers, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && equal(a.Value, b.Value) }):
		return fmt.Errorf("headers %q, want %q", read.headers, want.Headers)
	}
	return nil
}

// asRead is a record of the log as the client hands it out.
func (c Client) asRead(r *kgo.Record) *kgo.Record {
	if r == nil || !c.EmptyHeaders {
		return r
	}
	read := *r
	read.Headers = slices.Clone(r.Headers)
	for i := range read.Headers {
		if read.Headers[i].Value == nil {
			read.Headers[i].Value = []byte{}
		}
	}
	return &read
}

// equal tells null from empty.
func equal(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
