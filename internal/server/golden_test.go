package server

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/doctor"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/vfs/treetext"
)

var update = flag.Bool("update", false, "write the golden directory of a new format version; never that of a released one")

// goldenTime is the timestamp of the golden directory's records: they do not age.
const goldenTime = 4_000_000_000_000

// makeGolden fills a data directory with everything that a directory can hold and
// leaves it as a kill would: part of it in segments, part in the write-ahead log.
func makeGolden(t *testing.T) string {
	mem := vfs.NewMem()
	s := start(t, Config{FS: mem, DataDir: "/data", Configs: map[string]string{"offsets.topic.num.partitions": "1", "log.message.timestamp.after.max.ms": "9223372036854775807"},
		Store: plog.Options{WALFileSize: 512 << 10, WALFiles: 2, DirectBytes: 4 << 10}})
	adm := kadm.NewClient(client(t, s))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	roll := "1" // a segment for every batch that is younger than the one before
	_, err := adm.CreateTopic(t.Context(), 2, 1, map[string]*string{"segment.ms": ptr("70"), "index.interval.bytes": ptr("50"), "message.timestamp.after.max.ms": ptr("9223372036854775807")}, "orders")
	must(err)
	_, err = adm.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": ptr("compact"), "segment.ms": &roll, "min.cleanable.dirty.ratio": ptr("0.01"), "message.timestamp.after.max.ms": ptr("9223372036854775807")}, "latest")
	must(err)
	_, err = adm.CreateTopic(t.Context(), 1, 1, nil, "gone")
	must(err)
	cl := client(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	n := int64(0)
	write := func(topic string, partition int32, key, value string) {
		n += 10
		must(cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: []byte(value),
			Timestamp: time.UnixMilli(goldenTime + n), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}).FirstErr())
	}
	fill := func(from int) {
		for i := from; i < from+4; i++ {
			write("orders", 0, fmt.Sprint(i), fmt.Sprint("order-", i))
			write("orders", 1, fmt.Sprint(i), strings.Repeat(fmt.Sprint("large-", i, " "), 10))
			write("latest", 0, fmt.Sprint(i%2), fmt.Sprint("state-", i))
		}
	}
	fill(0)
	must(s.broker.Store.Checkpoint())
	for _, l := range s.broker.Store.Logs() {
		if l.Topic() == "latest" {
			_, err := s.broker.Store.Compact(t.Context(), l)
			must(err)
		}
	}
	commitAt := func(offset int64) {
		var commit kadm.Offsets
		commit.AddOffset("orders", 0, offset, -1)
		_, err = adm.CommitOffsets(t.Context(), "readers", commit)
		must(err)
	}
	commitAt(3)
	fill(4)
	must(s.broker.Store.Checkpoint())
	_, err = adm.DeleteTopic(t.Context(), "gone")
	must(err)
	var trim kadm.Offsets
	trim.AddOffset("orders", 0, 2, -1)
	_, err = adm.DeleteRecords(t.Context(), trim)
	must(err)
	commitAt(5)
	big := client(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	must(big.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Partition: 1, Key: []byte("8"), Value: []byte(strings.Repeat("x", 6<<10)), Timestamp: time.UnixMilli(goldenTime + 1000)}).FirstErr())
	fill(9)
	s.Abandon()
	text, err := treetext.Dump(mem.Kill(), "/data")
	must(err)
	for _, part := range []string{"meta.json ", "checkpoint ", "wal/0", ".1.log ", ".index ", ".timeindex ", "__consumer_offsets.", "__leat_catalog."} {
		if !strings.Contains(text, part) {
			t.Errorf("the directory has no %s", part)
		}
	}
	return text
}

func ptr(s string) *string { return &s }

// goldenOf is what a directory of makeGolden must serve.
func goldenOf(t *testing.T, s *Server) {
	t.Helper()
	read := func(topic string, partition int32, from, to int64) (out []string) {
		cl := client(t, s, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for last := from - 1; last < to-1; {
			fetches := cl.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatalf("%s/%d: %v after %v", topic, partition, err, out)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				last = r.Offset
				v := string(r.Value)
				out = append(out, fmt.Sprintf("%d %s=%s", r.Offset, r.Key, v[:min(len(v), 9)]))
				if r.Timestamp.UnixMilli() <= goldenTime {
					t.Errorf("%s/%d offset %d: timestamp %v", topic, partition, r.Offset, r.Timestamp)
				}
			})
		}
		return out
	}
	var orders, large []string
	for i, offset := 0, 0; i < 13; i++ {
		if i == 8 {
			large = append(large, "8 8=xxxxxxxxx")
			continue
		}
		if offset >= 2 {
			orders = append(orders, fmt.Sprintf("%d %d=%.9s", offset, i, fmt.Sprint("order-", i)))
		}
		at := offset
		if i > 8 {
			at++
		}
		large = append(large, fmt.Sprintf("%d %d=%.9s", at, i, fmt.Sprint("large-", i, " large")))
		offset++
	}
	if got := read("orders", 0, 2, 12); !slices.Equal(got, orders) {
		t.Errorf("orders/0 is %v\nwant %v", got, orders)
	}
	if got := read("orders", 1, 0, 13); !slices.Equal(got, large) {
		t.Errorf("orders/1 is %v\nwant %v", got, large)
	}
	// Compaction may have gone on since; of the first four it had kept what it must.
	latest := read("latest", 0, 0, 12)
	if slices.Contains(latest, "0 0=state-0") || !slices.Contains(latest, "10 1=state-11") || latest[len(latest)-1] != "11 0=state-12" {
		t.Errorf("latest is %v", latest)
	}
	adm := kadm.NewClient(client(t, s))
	offsets, err := adm.FetchOffsets(t.Context(), "readers")
	if o, ok := offsets.Lookup("orders", 0); err != nil || !ok || o.At != 5 {
		t.Errorf("the group's offset: %+v, %v", o, err)
	}
	starts, err := adm.ListStartOffsets(t.Context(), "orders")
	if o, ok := starts.Lookup("orders", 0); err != nil || !ok || o.Offset != 2 {
		t.Errorf("the log start: %+v, %v", o, err)
	}
	topics, err := adm.ListTopics(t.Context())
	if err != nil || topics.Has("gone") || len(topics["orders"].Partitions) != 2 {
		t.Errorf("%v, %v", topics.Names(), err)
	}
	configs, err := adm.DescribeTopicConfigs(t.Context(), "latest")
	if err != nil {
		t.Fatal(err)
	}
	rc, err := configs.On("latest", nil)
	if err != nil || !slices.ContainsFunc(rc.Configs, func(c kadm.Config) bool { return c.Key == "cleanup.policy" && *c.Value == "compact" }) {
		t.Errorf("the config of latest: %v", err)
	}
}

// A whole data directory of each format that was ever released: it is told of truly
// by who only looks, opened, served to the last record, written to, and served again.
func TestEveryReleasedFormatIsServed(t *testing.T) {
	t.Parallel()
	const current = "testdata/format1-sums.txt" // format1.txt is from before groups had a sum of their frames
	if *update {
		if err := os.WriteFile(current, []byte(makeGolden(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob("testdata/format*.txt")
	if err != nil || !slices.Contains(names, current) {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		mem := vfs.NewMem()
		if err := treetext.Plant(mem, "/data", string(text)); err != nil {
			t.Fatal(err)
		}
		r, err := doctor.Look(t.Context(), mem, "/data", true)
		if err != nil || !r.OK() || r.Clean || r.Recovered == 0 || r.Starts != 1 || r.Records < 30 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if again, err := treetext.Dump(mem, "/data"); err != nil || again != string(text) {
			t.Errorf("%s: looking changed it, or it does not come back as it is written (%v)", name, err)
		}
		for range 2 {
			s := start(t, Config{FS: mem, DataDir: "/data"})
			if s.ClusterID() != r.ClusterID {
				t.Errorf("%s: cluster %s, want %s", name, s.ClusterID(), r.ClusterID)
			}
			goldenOf(t, s)
			createTopic(t, s, kafka.NewUUID().String(), 1) // it can be written to
			stop(t, s)
		}
		if r, err := doctor.Look(t.Context(), mem, "/data", true); err != nil || !r.OK() || !r.Clean || r.Starts != 3 {
			t.Errorf("%s: afterwards %+v, %v", name, r, err)
		}
	}
}

// The directory that is made today is served as those of before are.
func TestTodaysFormatIsServed(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	if err := treetext.Plant(mem, "/data", makeGolden(t)); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{FS: mem, DataDir: "/data"})
	goldenOf(t, s)
	stop(t, s)
}
