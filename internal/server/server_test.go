package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/vfs"
)

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func client(t *testing.T, s *Server, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(s.ClientOpts(), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, s *Server, name string, partitions int32) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, s)).CreateTopic(t.Context(), partitions, 1, nil, name); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, s *Server, topic string, from, n int) {
	t.Helper()
	c := client(t, s, kgo.DefaultProduceTopic(topic))
	for i := range n {
		v := fmt.Sprint(from + i)
		c.Produce(t.Context(), &kgo.Record{Key: []byte(v), Value: []byte(v)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// consume reads n records of the group and commits them.
func consume(t *testing.T, s *Server, topic, group string, n int) []string {
	t.Helper()
	c := client(t, s, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	for len(got) < n {
		fs := c.PollRecords(ctx, n-len(got))
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d of %d: %v", len(got), n, err)
		}
		fs.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if err := c.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	c.LeaveGroup()
	c.Close()
	return got
}

func TestProduceConsumeCommitAndComeBackAfterACrash(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	cfg := Config{FS: fs, DataDir: "/data", Configs: map[string]string{"group.initial.rebalance.delay.ms": "0"}}
	s := start(t, cfg)
	createTopic(t, s, "things", 3)
	produce(t, s, "things", 0, 500)
	seen := map[string]int{}
	for _, v := range consume(t, s, "things", "g", 200) {
		seen[v]++
	}
	// The disk as it is now, without anything that was not synced.
	cfg.FS = fs.Crash(vfs.KeepNone, 1)
	s.Abandon()
	s = start(t, cfg)
	defer stop(t, s)
	produce(t, s, "things", 500, 100)
	for _, v := range consume(t, s, "things", "g", 400) {
		seen[v]++
	}
	for i := range 600 {
		if seen[fmt.Sprint(i)] != 1 {
			t.Errorf("value %d came %d times", i, seen[fmt.Sprint(i)])
		}
	}
}

func TestListenersAndWhatClientsAreTold(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Listen: "127.0.0.1:0"})
	defer stop(t, s)
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") || strings.HasSuffix(s.Addr(), ":0") {
		t.Fatalf("address %q", s.Addr())
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "made-by-use", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// A port that is taken is said before the data directory is touched.
	_, err = Start(t.Context(), Config{Listen: s.Addr()})
	if err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestOneProcessPerDataDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/data"
	s := start(t, Config{DataDir: dir})
	if _, err := Start(t.Context(), Config{DataDir: dir}); !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second start: %v", err)
	}
	stop(t, s)
	stop(t, start(t, Config{DataDir: dir}))
}
