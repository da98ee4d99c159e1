package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// startMem starts a server on a disk in memory.
func startMem(t *testing.T, fs vfs.FS) *Server {
	t.Helper()
	return start(t, Config{FS: fs, DataDir: "/data", Store: plog.Options{WALFileSize: 4 << 20}})
}

func put(t *testing.T, cl *kgo.Client, partition int32, values ...string) {
	t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: "in", Partition: partition, Value: []byte(v)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// flipWAL inverts a bit of the write-ahead log where the text stands.
func flipWAL(t *testing.T, fs vfs.FS, text string) {
	t.Helper()
	names, err := fs.List("/data/wal")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := vfs.ReadFile(fs, "/data/wal/"+n)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte(text))
		if at < 0 {
			continue
		}
		f, err := fs.Open("/data/wal/" + n)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte{b[at] ^ 1}, int64(at)); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("%q is nowhere", text)
}

// damagedServer runs on a directory in which partition 0 of the topic in is damaged
// below what was durable; both partitions had three records.
func damagedServer(t *testing.T) *Server {
	t.Helper()
	mem := vfs.NewMem()
	s := startMem(t, mem)
	createTopic(t, s, "in", 2)
	cl := client(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 3 {
		put(t, cl, 0, fmt.Sprint("alpha-", i))
		put(t, cl, 1, fmt.Sprint("beta-", i))
	}
	s.Abandon()
	disk := mem.Kill()
	flipWAL(t, disk, "alpha-1")
	s = startMem(t, disk)
	t.Cleanup(func() { stop(t, s) })
	return s
}

// A damaged partition is seen by those who ask, refused to those who write or read,
// and nobody else's affair: a client that has both goes on with the other.
func TestFencedPartitionHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	s := damagedServer(t)
	if n := s.FencedPartitions(); n != 1 {
		t.Errorf("%d partitions are fenced", n)
	}
	adm := kadm.NewClient(client(t, s))
	topics, err := adm.ListTopics(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	p0, p1 := topics["in"].Partitions[0], topics["in"].Partitions[1]
	if p0.Leader != -1 || !errors.Is(p0.Err, kerr.KafkaStorageError) || !slices.Equal(p0.OfflineReplicas, []int32{1}) || len(p0.ISR) != 0 {
		t.Errorf("the damaged one: %+v", p0)
	}
	if p1.Leader != 1 || p1.Err != nil || len(p1.OfflineReplicas) != 0 {
		t.Errorf("the other one: %+v", p1)
	}

	resp, err := kmsg.NewPtrDescribeTopicPartitionsRequest().RequestWith(t.Context(), client(t, s))
	if err != nil || len(resp.Topics) != 1 {
		t.Fatal(resp, err)
	}
	if p := resp.Topics[0].Partitions; p[0].LeaderID != -1 || p[0].ErrorCode != kerr.KafkaStorageError.Code || !slices.Equal(p[0].OfflineReplicas, []int32{1}) || p[1].LeaderID != 1 || p[1].ErrorCode != 0 {
		t.Errorf("DescribeTopicPartitions: %+v", p)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cl := client(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeTopics("in"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordRetries(2))
	put(t, cl, 1, "beta-3")
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "in", Partition: 0, Value: []byte("x")}).FirstErr(); err == nil {
		t.Error("a record was taken for the damaged partition")
	}
	var got []string
	for len(got) < 4 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("only %v came", got)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, fmt.Sprint(r.Partition, " ", r.Offset, " ", string(r.Value))) })
	}
	if !slices.Equal(got, []string{"1 0 beta-0", "1 1 beta-1", "1 2 beta-2", "1 3 beta-3"}) {
		t.Errorf("%v", got)
	}

	// When the topic is deleted, so is the fence.
	if _, err := adm.DeleteTopic(t.Context(), "in"); err != nil {
		t.Fatal(err)
	}
	if n := s.FencedPartitions(); n != 0 {
		t.Errorf("%d partitions are fenced", n)
	}
}
