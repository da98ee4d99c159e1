package dumplog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/test/kafkaproc"
	"github.com/leatdev/leat/test/leatproc"
)

// Our reader reads what a real Kafka has written, byte by byte: every codec,
// idempotent and transactional producers, commits and aborts, segments that rolled, a
// compacted topic, Kafka's own topics; batches, offsets, checksums, both indexes.
func TestWeReadKafkasSegments(t *testing.T) {
	kafka, err := kafkaproc.Run("log.cleaner.backoff.ms=200", "log.segment.delete.delay.ms=0", "log.initial.task.delay.ms=0")
	if err != nil {
		leatproc.Missing(t, "Apache Kafka", err)
	}
	t.Cleanup(kafka.Remove)
	ends := writeToKafka(t, kafka)
	if err := kafka.Stop(); err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join(kafka.Logs, "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	segments, entries, compacted := 0, 0, false
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue // Kafka's checkpoints
		}
		segs, err := plog.CheckSegmentFiles(t.Context(), vfs.OS{}, dir)
		if err != nil {
			if strings.Contains(name, "__consumer_offsets") {
				continue
			}
			t.Fatalf("%s: %v", name, err)
		}
		var records, next int64
		for i := range segs {
			s := &segs[i]
			if !s.OK() {
				t.Errorf("%s: %s: %v %v", name, s.File, s.Bad, s.Wrong)
			}
			if s.Batches > 0 {
				next = s.Next
			}
			records += s.Records
			segments++
			entries += s.IndexEntries + s.TimeEntries
		}
		end, ours := ends[name]
		if !ours {
			continue
		}
		if next != end {
			t.Errorf("%s: the last batch ends at %d, Kafka said %d", name, next, end)
		}
		if name == "compacted-0" {
			compacted = records < end
		} else if records != end {
			t.Errorf("%s: %d records, Kafka has given out %d offsets", name, records, end)
		}
	}
	if segments < 12 || entries < 300 || !compacted {
		t.Errorf("%d segments, %d index entries, compacted: %v: the test did not see what it is for", segments, entries, compacted)
	}

	// And it complains when there is reason to.
	name := filepath.Join(kafka.Logs, "codecs-0", fmt.Sprintf("%020d.log", 0))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	segs, err := plog.CheckSegmentFiles(t.Context(), vfs.OS{}, filepath.Dir(name))
	if err != nil || segs[0].OK() {
		t.Errorf("a flipped bit passes: %v", err)
	}
}

// writeToKafka fills topics and returns where each partition ends, by the name of its
// directory.
func writeToKafka(t *testing.T, kafka *kafkaproc.Kafka) map[string]int64 {
	t.Helper()
	client := func(opts ...kgo.Opt) *kgo.Client {
		cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(kafka.Addr), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	adm := kadm.NewClient(client())
	ptr := func(s string) *string { return &s }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	leatproc.Until(t, time.Minute, "a Kafka that serves", func() error { _, err := adm.ListTopics(ctx); return err })
	roll := map[string]*string{"segment.bytes": ptr("1048576")}
	_, err := adm.CreateTopic(ctx, 2, 1, roll, "codecs")
	must(err)
	_, err = adm.CreateTopic(ctx, 1, 1, roll, "transactions")
	must(err)
	_, err = adm.CreateTopic(ctx, 1, 1, map[string]*string{"segment.bytes": ptr("1048576"), "cleanup.policy": ptr("compact"), "min.cleanable.dirty.ratio": ptr("0.01")}, "compacted")
	must(err)

	rng := rand.New(rand.NewPCG(3, 4))
	value := func(size int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	now := time.Now().UnixMilli()
	fill := func(cl *kgo.Client, topic string, n, size int) {
		var rs []*kgo.Record
		for i := range n {
			rs = append(rs, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i%50), Value: value(1 + rng.IntN(size)), Timestamp: time.UnixMilli(now - rng.Int64N(1e6))})
		}
		must(cl.ProduceSync(ctx, rs...).FirstErr())
	}
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		opts := []kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(20 << 10)}
		if i%2 == 1 {
			opts = append(opts, kgo.DisableIdempotentWrite())
		}
		fill(client(opts...), "codecs", 1500, 1500)
	}
	fill(client(kgo.ProducerBatchMaxBytes(20<<10)), "compacted", 4000, 1500)
	tx := client(kgo.TransactionalID("tx"), kgo.ProducerBatchMaxBytes(20<<10))
	for i := range 20 {
		must(tx.BeginTransaction())
		fill(tx, "transactions", 100, 1500)
		must(tx.EndTransaction(ctx, kgo.TransactionEndTry(i%3 != 0)))
	}
	// The cleaner has been there when the first segments are smaller than they were.
	leatproc.Until(t, time.Minute, "Kafka's compaction", func() error {
		b, err := os.ReadFile(filepath.Join(kafka.Logs, "cleaner-offset-checkpoint"))
		if err != nil {
			return err
		}
		if !strings.Contains(string(b), "compacted 0") {
			return fmt.Errorf("not yet: %q", b)
		}
		return nil
	})
	ends := map[string]int64{}
	listed, err := adm.ListEndOffsets(ctx, "codecs", "transactions", "compacted")
	must(err)
	listed.Each(func(o kadm.ListedOffset) { ends[fmt.Sprintf("%s-%d", o.Topic, o.Partition)] = o.Offset })
	if len(ends) != 4 {
		t.Fatalf("%v", ends)
	}
	return ends
}

// After a kill, what was acknowledged stands in the write-ahead log; doctor
// --materialize brings all of it into segments that Kafka's tool reads.
func TestKafkaReadsAKilledDirectoryThatWasMaterialized(t *testing.T) {
	libs := libs(t)
	s := leatproc.Serve(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.DefaultProduceTopic("killed"), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	want := 0
	for _, size := range []int{10, 1000, 200 << 10} {
		for i := range 20 {
			r := &kgo.Record{Key: fmt.Append(nil, i), Value: []byte(strings.Repeat("v", size))}
			if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			want++
		}
	}
	s.Kill()
	out, err := exec.CommandContext(t.Context(), leatproc.Build(t, "./cmd/leat"), "doctor", "--materialize", s.Data).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dirs, err := filepath.Glob(filepath.Join(s.Data, "logs", "killed.*", "0"))
	if err != nil || len(dirs) != 1 {
		t.Fatal(dirs, err)
	}
	names, err := filepath.Glob(filepath.Join(dirs[0], "*.log"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	text := dump(t, libs, "--files", strings.Join(names, ","), "--deep-iteration")
	if c := complaint(text); c != "" {
		t.Errorf("Kafka complains: %s", c)
	}
	if got := strings.Count(text, "\n| offset: "); got != want {
		t.Errorf("Kafka reads %d records of %d:\n%.2000s", got, want, text)
	}
	for _, kind := range []string{".index", ".timeindex"} {
		files, err := filepath.Glob(filepath.Join(dirs[0], "*"+kind))
		if err != nil || len(files) == 0 {
			t.Fatal(kind, files, err)
		}
		if c := complaint(dump(t, libs, "--files", strings.Join(files, ","), "--verify-index-only")); c != "" {
			t.Errorf("%s: Kafka complains: %s", kind, c)
		}
	}
}
