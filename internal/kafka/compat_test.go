package kafka

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var update = flag.Bool("update", false, "write the golden batches anew")

// compatRecords are compressible, so that the client keeps its codec.
func compatRecords() []Record {
	var recs []Record
	for i := range 20 {
		r := Record{Offset: int64(i), Timestamp: 1_700_000_000_000 + int64(i), Key: fmt.Append(nil, "key-", i%3), Value: []byte(strings.Repeat("water ", i))}
		if i == 0 {
			r.Value = nil
		}
		if i%4 == 0 {
			r.Headers = []Header{{Key: "n", Value: []byte{byte(i)}}, {Key: "n", Value: nil}}
		}
		recs = append(recs, r)
	}
	return recs
}

func kgoCodec(c Codec) kgo.CompressionCodec {
	return [...]kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}[c]
}

// kgoBatch is the batch that franz-go's producer sends for the records.
func kgoBatch(t *testing.T, c Codec, recs []Record) Batch {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	sent := make(chan []byte, 10)
	cluster.ControlKey(0, func(r kmsg.Request) (kmsg.Response, error, bool) {
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				sent <- bytes.Clone(p.Records)
			}
		}
		cluster.KeepControl()
		return nil, nil, false
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ProducerBatchCompression(kgoCodec(c)), kgo.ManualFlushing())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, r := range recs {
		kr := &kgo.Record{Topic: "t", Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			kr.Headers = append(kr.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		cl.Produce(context.Background(), kr, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	b, rest, err := NextBatch(<-sent)
	if err != nil || len(rest) > 0 || len(sent) > 0 {
		t.Fatalf("franz-go sent %d bytes more and %d requests: %v", len(rest), len(sent), err)
	}
	return b
}

func checkCompat(t *testing.T, b Batch, c Codec) {
	t.Helper()
	if b.Codec() != c {
		t.Fatalf("sent as %s", b.Codec())
	}
	if res, err := b.Check(CheckOptions{Keys: true, Limit: openLimit}); err != nil || !res.Opened || res.MaxTimestamp != b.MaxTimestamp() {
		t.Errorf("%+v, %v", res, err)
	}
	if got, want := collect(t, b, openLimit), compatRecords(); !reflect.DeepEqual(got, want) {
		t.Errorf("read %v\nwant %v", got, want)
	}
}

func TestWeReadFranzGo(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			b := kgoBatch(t, c, compatRecords())
			checkCompat(t, b, c)
			if c == CodecNone {
				ours := Build(BatchSpec{LeaderEpoch: b.LeaderEpoch(), Producer: &ProducerSpec{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), Sequence: b.BaseSequence()}}, compatRecords())
				if !bytes.Equal(ours, b) {
					t.Errorf("the same batch is\n% x by us\n% x by franz-go", ours, b)
				}
			}
			if *update {
				if err := os.WriteFile(golden(c), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func golden(c Codec) string { return filepath.Join("testdata", "kgo-"+c.String()+".batch") }

func readBatch(t *testing.T, name string) Batch {
	t.Helper()
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b, rest, err := NextBatch(p)
	if err == nil {
		err = b.VerifyCRC()
	}
	if err != nil || len(rest) > 0 {
		t.Fatalf("%s: %d bytes follow the batch: %v", name, len(rest), err)
	}
	return b
}

// The golden batches were made by franz-go's producer and by Kafka's own client
// library (4.3.1); a change of the libraries below us must not change what they
// mean.
func TestGoldenBatches(t *testing.T) {
	for _, c := range codecs {
		for _, name := range []string{golden(c), filepath.Join("testdata", "java-"+c.String()+".batch")} {
			t.Run(filepath.Base(name), func(t *testing.T) { checkCompat(t, readBatch(t, name), c) })
		}
	}
}

// What Kafka's cleaner leaves of a batch (MemoryRecords.filterTo, 4.3.1), byte
// for byte.
func TestRetainIsKafkas(t *testing.T) {
	whole := readBatch(t, "testdata/java-idempotent.batch")
	ours := Build(BatchSpec{LeaderEpoch: 5, Producer: &ProducerSpec{ID: 9, Epoch: 1, Sequence: 30}}, compatRecords())
	if !bytes.Equal(whole, ours) {
		t.Fatalf("the whole batch is\n% x by us\n% x by Kafka", ours, whole)
	}
	for name, keep := range map[string][]int64{"values": {5, 7}, "tombstone": {0, 7}, "none": nil} {
		want := readBatch(t, "testdata/java-retained-"+name+".batch")
		got, err := whole.Retain(openLimit, 1_800_000_060_000, func(r *Record) bool { return slices.Contains(keep, r.Offset) })
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n% x by us\n% x by Kafka", name, err, got, want)
		}
	}
}

func TestFranzGoReadsUs(t *testing.T) {
	for _, c := range codecs {
		recs := compatRecords()
		b := Build(BatchSpec{BaseOffset: 100, Codec: c}, recs)
		part := kmsg.NewFetchResponseTopicPartition()
		part.HighWatermark = 200
		part.RecordBatches = b
		got, last := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Topic: "t"}, &part, kgo.DefaultDecompressor(), nil)
		if got.Err != nil || len(got.Records) != len(recs) || last != 120 {
			t.Fatalf("%s: %d records, next offset %d, %v", c, len(got.Records), last, got.Err)
		}
		for i, r := range got.Records {
			want := recs[i]
			same := r.Offset == 100+want.Offset && r.Timestamp.UnixMilli() == want.Timestamp && len(r.Headers) == len(want.Headers) &&
				bytes.Equal(r.Key, want.Key) && bytes.Equal(r.Value, want.Value) && (r.Value == nil) == (want.Value == nil)
			for j := range want.Headers {
				same = same && r.Headers[j].Key == want.Headers[j].Key && bytes.Equal(r.Headers[j].Value, want.Headers[j].Value)
			}
			if !same {
				t.Errorf("%s: franz-go reads %v, want %v", c, r, want)
			}
		}
	}
}
