package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

func openTopicsTest(t *testing.T, fs vfs.FS, static map[string]string) *Broker {
	t.Helper()
	b, err := Open(Config{FS: fs, Dir: "/data", Static: static, Store: plog.Options{WALFileSize: 1 << 20, WALFiles: 4, DiskReserve: -1}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func topicsBroker(t *testing.T, static map[string]string) *Broker {
	t.Helper()
	b := openTopicsTest(t, vfs.NewMem(), static)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// defaults is a NewTopic with the defaults.
func defaults(name string) NewTopic {
	return NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
}

func mustCreate(t *testing.T, b *Broker, n NewTopic) *catalog.Topic {
	t.Helper()
	c := b.CreateTopics(t.Context(), []NewTopic{n}, false, nil)[0]
	if c.Err != nil {
		t.Fatal(c.Err)
	}
	return c.Topic
}

// inventory is all that a restart must bring back, as text.
func inventory(b *Broker) string {
	var out strings.Builder
	for _, t := range b.Catalog.Snapshot().Topics() {
		fmt.Fprintln(&out, t.Name, t.ID, t.Partitions, t.Configs)
		for p := range t.Partitions {
			byName, byID := b.Partition(t.Name, p), b.PartitionByID(t.ID, p)
			if byName == nil || byName != byID {
				fmt.Fprintln(&out, "  partition", p, "is not there")
				continue
			}
			fmt.Fprintln(&out, "  ", p, byName.Log.Config() == t.View.Log)
		}
	}
	for _, node := range []string{"", "1"} {
		configs, _ := b.Catalog.Snapshot().BrokerConfigs(node)
		fmt.Fprintln(&out, node, configs)
	}
	return out.String()
}

func TestCreateDefaults(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, map[string]string{"num.partitions": "3"})
	topic := mustCreate(t, b, defaults("t"))
	if topic.Partitions != 3 || topic.ID.IsZero() || b.Partition("t", 2) == nil || b.Partition("t", 3) != nil {
		t.Errorf("%+v\n%s", topic, inventory(b))
	}
}

// Codes and sentences as Kafka 4.3.1 gives them, but where one node cannot.
func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	mustCreate(t, b, defaults("c.d"))
	for _, c := range []struct {
		n    NewTopic
		code *kerr.Error
		says string
	}{
		{defaults("a b"), kerr.InvalidTopicException, "contains one or more characters other than"},
		{defaults("c.d"), kerr.TopicAlreadyExists, "Topic 'c.d' already exists."},
		{defaults("c_d"), kerr.InvalidTopicException, "Topic 'c_d' collides with existing topic: c.d"},
		{NewTopic{"k", 0, 1, nil, nil}, kerr.InvalidPartitions, "non-positive"},
		{NewTopic{"k", -2, 1, nil, nil}, kerr.InvalidPartitions, "non-positive"},
		{NewTopic{"k", 1, 0, nil, nil}, kerr.InvalidReplicationFactor, "larger than 0, or -1"},
		{NewTopic{"k", 1, 3, nil, nil}, kerr.InvalidReplicationFactor, "3 time(s)"},
		{NewTopic{"k", 1, 1, nil, map[string]string{"nope": "1"}}, kerr.InvalidConfig, "Unknown topic config name: nope"},
		{NewTopic{"k", 2, 1, map[int32][]int32{0: {1}}, nil}, kerr.InvalidRequest, "replication factor was not set to -1"},
		{NewTopic{"k", 1, -1, map[int32][]int32{0: {1}}, nil}, kerr.InvalidRequest, "numPartitions was not set to -1"},
		{NewTopic{"k", -1, -1, map[int32][]int32{0: {2}}, nil}, kerr.InvalidReplicaAssignment, "includes broker 2"},
		{NewTopic{"k", -1, -1, map[int32][]int32{0: {}}, nil}, kerr.InvalidReplicaAssignment, "empty replica list"},
		{NewTopic{"k", -1, -1, map[int32][]int32{0: {1, 1}}, nil}, kerr.InvalidReplicaAssignment, "more than once"},
		{NewTopic{"k", -1, -1, map[int32][]int32{1: {1}}, nil}, kerr.InvalidReplicaAssignment, "consecutive 0-based"},
		{NewTopic{"k", 20000, 1, nil, nil}, kerr.PolicyViolation, "Excessively large"},
		{defaults(OffsetsTopic), kerr.InvalidTopicException, "made by the broker"},
	} {
		for _, validateOnly := range []bool{true, false} {
			err := b.CreateTopics(t.Context(), []NewTopic{c.n}, validateOnly, nil)[0].Err
			if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: %v, want %v with %q", c.n, err, c.code, c.says)
			}
		}
	}
	if n := b.Catalog.Snapshot().NumTopics(); n != 1 {
		t.Errorf("%d topics", n)
	}
}

// Each topic of a request stands for itself; validateOnly makes none.
func TestCreateMany(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	asked := []NewTopic{defaults("a.b"), defaults("a_b"), defaults("ok"), defaults("bad name")}
	got := b.CreateTopics(t.Context(), asked, true, nil)
	if got[0].Err != nil || got[1].Err == nil || got[2].Err != nil || got[3].Err == nil || b.Catalog.Snapshot().NumTopics() != 0 {
		t.Errorf("validated: %+v\n%s", got, inventory(b))
	}
	got = b.CreateTopics(t.Context(), asked, false, nil)
	if got[0].Err != nil || got[1].Err == nil || got[2].Err != nil || got[3].Err == nil || b.Catalog.Snapshot().NumTopics() != 2 {
		t.Errorf("made: %+v\n%s", got, inventory(b))
	}
}

func TestDeleteAndMakeAgain(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	first := mustCreate(t, b, defaults("t"))
	errs := b.DeleteTopics([]*catalog.Topic{first, first}, nil)
	if errs[0] != nil || !errors.Is(errs[1], kerr.UnknownTopicOrPartition) {
		t.Errorf("deleted twice: %v", errs)
	}
	if b.Partition("t", 0) != nil || b.PartitionByID(first.ID, 0) != nil || b.Store.Log(plog.ID{Topic: first.ID}) != nil {
		t.Error("still there")
	}
	second := mustCreate(t, b, defaults("t"))
	if second.ID == first.ID {
		t.Error("the same id")
	}
	if err := b.DeleteTopics([]*catalog.Topic{first}, nil)[0]; !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("the first one is deleted again: %v", err)
	}
	if b.Partition("t", 0) == nil {
		t.Error("the second one went with the first")
	}
}

func TestDeleteRefuses(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, map[string]string{"delete.topic.enable": "false"})
	topic := mustCreate(t, b, defaults("t"))
	if err := b.EnsureTopic(t.Context(), OffsetsTopic, 2, map[string]string{"cleanup.policy": "compact"}); err != nil {
		t.Fatal(err)
	}
	errs := b.DeleteTopics([]*catalog.Topic{topic, b.Catalog.Snapshot().Topic(OffsetsTopic)}, nil)
	if !errors.Is(errs[0], kerr.TopicDeletionDisabled) || !errors.Is(errs[1], kerr.InvalidTopicException) {
		t.Error(errs)
	}
	err := b.SetTopicConfigs(OffsetsTopic, false, func(map[string]string) (map[string]string, error) { return nil, nil })
	if !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("cleanup.policy of the broker's own state: %v", err)
	}
	kept := map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
	if err := b.EnsureTopic(t.Context(), catalog.ShareStateTopic, 2, kept); err != nil {
		t.Fatal(err)
	}
	for name := range kept {
		err := b.SetTopicConfigs(catalog.ShareStateTopic, false, func(now map[string]string) (map[string]string, error) {
			next := maps.Clone(now)
			delete(next, name)
			return next, nil
		})
		if !errors.Is(err, kerr.InvalidConfig) {
			t.Errorf("%s of the share groups' state: %v", name, err)
		}
	}
	if err := b.CreatePartitions(t.Context(), []MorePartitions{{Topic: OffsetsTopic, Count: 5}}, false, nil)[0]; !errors.Is(err, kerr.InvalidTopicException) {
		t.Errorf("more partitions of the broker's own state: %v", err)
	}
}

func TestCreatePartitions(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	mustCreate(t, b, defaults("t"))
	for _, c := range []struct {
		m    MorePartitions
		code *kerr.Error
		says string
	}{
		{MorePartitions{"nosuch", 2, nil}, kerr.UnknownTopicOrPartition, ""},
		{MorePartitions{"t", 1, nil}, kerr.InvalidPartitions, "Topic already has 1 partition(s)."},
		{MorePartitions{"t", -1, nil}, kerr.InvalidPartitions, "-1 would not be an increase."},
		{MorePartitions{"t", 3, [][]int32{{1}}}, kerr.InvalidReplicaAssignment, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{MorePartitions{"t", 2, [][]int32{{2}}}, kerr.InvalidReplicaAssignment, "includes broker 2"},
		{MorePartitions{"t", 20000, nil}, kerr.PolicyViolation, "Excessively large"},
	} {
		err := b.CreatePartitions(t.Context(), []MorePartitions{c.m}, false, nil)[0]
		if !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.m, err)
		}
	}
	if err := b.CreatePartitions(t.Context(), []MorePartitions{{"t", 4, [][]int32{{1}, {1}, {1}}}}, true, nil)[0]; err != nil || b.Partition("t", 1) != nil {
		t.Errorf("validate only: %v", err)
	}
	first := b.Partition("t", 0)
	if err := b.CreatePartitions(t.Context(), []MorePartitions{{"t", 4, nil}}, false, nil)[0]; err != nil {
		t.Fatal(err)
	}
	if b.Partition("t", 0) != first || b.Partition("t", 3) == nil || b.Partition("t", 3).Index != 3 || b.Catalog.Snapshot().Topic("t").Partitions != 4 {
		t.Error(inventory(b))
	}
}

// Reference: behaviours 2 and 3.
func TestAutoCreate(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	mustCreate(t, b, defaults("c.d"))
	errs := b.AutoCreate(t.Context(), []string{"new", "c.d", "c_d", "a b", OffsetsTopic}, nil)
	if len(errs) != 3 || !errors.Is(errs["c_d"], kerr.InvalidTopicException) || !errors.Is(errs["a b"], kerr.InvalidTopicException) || !errors.Is(errs[OffsetsTopic], kerr.UnknownTopicOrPartition) {
		t.Error(errs)
	}
	if b.Partition("new", 0) == nil {
		t.Error("not made")
	}
}

// Many at once make one topic, and all are told that it is there.
func TestAutoCreateConcurrently(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if errs := b.AutoCreate(context.Background(), []string{"t"}, nil); len(errs) != 0 {
				t.Error(errs)
			}
			if b.Partition("t", 0) == nil {
				t.Error("told before it is there")
			}
		})
	}
	wg.Wait()
	if n := len(b.Store.Logs()); n != 2 {
		t.Errorf("%d logs, want the catalogue's and one", n)
	}
}

func TestConfigsReachTheLogs(t *testing.T) {
	t.Parallel()
	b := topicsBroker(t, nil)
	mustCreate(t, b, defaults("t"))
	mustCreate(t, b, NewTopic{"own", 1, 1, nil, map[string]string{"retention.bytes": "5"}})
	set := func(name, value string) func(map[string]string) (map[string]string, error) {
		return func(m map[string]string) (map[string]string, error) { m[name] = value; return m, nil }
	}
	retention := func(topic string) int64 { return b.Partition(topic, 0).Log.Config().RetentionBytes }
	if err := b.SetTopicConfigs("t", true, set("retention.bytes", "7")); err != nil || retention("t") != -1 {
		t.Errorf("validate only: %v, %d", err, retention("t"))
	}
	if err := b.SetBrokerConfigs("1", false, set("log.retention.bytes", "100")); err != nil || retention("t") != 100 || retention("own") != 5 {
		t.Errorf("broker: %v, %d and %d", err, retention("t"), retention("own"))
	}
	if err := b.SetTopicConfigs("t", false, set("retention.bytes", "7")); err != nil || retention("t") != 7 {
		t.Errorf("topic: %v, %d", err, retention("t"))
	}
	if got := b.Partition("t", 0).View().Log.RetentionBytes; got != 7 {
		t.Errorf("view: %d", got)
	}
	if err := b.SetTopicConfigs("t", false, set("retention.ms", "x")); !errors.Is(err, kerr.InvalidConfig) {
		t.Error(err)
	}
	if err := b.SetTopicConfigs("nosuch", false, set("retention.ms", "1")); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Error(err)
	}
	if err := b.SetBrokerConfigs("1", false, set("num.partitions", "1")); !errors.Is(err, kerr.InvalidRequest) {
		t.Error(err)
	}
}

// A restart, clean or not, brings everything back as clients saw it: the topic ids,
// too (reference: 4.2, gotcha 3; behaviour 15).
func TestTopicsSurvive(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		fs := vfs.NewMem()
		b := openTopicsTest(t, fs, nil)
		for i := range 20 {
			mustCreate(t, b, NewTopic{fmt.Sprintf("t%02d", i), int32(1 + i%3), -1, nil, map[string]string{"retention.bytes": fmt.Sprint(i)}})
		}
		s := b.Catalog.Snapshot()
		if err := errors.Join(b.DeleteTopics([]*catalog.Topic{s.Topic("t03"), s.Topic("t04")}, nil)...); err != nil {
			t.Fatal(err)
		}
		mustCreate(t, b, defaults("t04"))
		if err := errors.Join(b.CreatePartitions(t.Context(), []MorePartitions{{Topic: "t05", Count: 9}}, false, nil)...); err != nil {
			t.Fatal(err)
		}
		if err := b.SetBrokerConfigs("", false, func(m map[string]string) (map[string]string, error) {
			return map[string]string{"log.segment.bytes": "2000000"}, nil
		}); err != nil {
			t.Fatal(err)
		}
		want := inventory(b)
		if crash {
			fs = fs.Crash(vfs.KeepNone, 1)
			b.Abandon()
		} else if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = openTopicsTest(t, fs, nil)
		if got := inventory(b); got != want {
			t.Errorf("crash %v: after the restart\n%s\nbefore\n%s", crash, got, want)
		}
		if strings.Contains(want, "not there") || strings.Contains(want, "false") || strings.Count(want, "\n") < 40 {
			t.Errorf("inventory:\n%s", want)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A loss of power at any moment leaves each topic whole or not at all, and what was
// answered is there.
func TestCreateIsAtomic(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	b := openTopicsTest(t, fs, nil)
	const all = 40
	var answered atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range int32(all) {
			if err := b.CreateTopics(context.Background(), []NewTopic{{fmt.Sprint("t", i), 3, -1, nil, nil}}, false, nil)[0].Err; err != nil {
				t.Error(err)
			}
			answered.Store(i + 1)
		}
	}()
	for seed := uint64(0); answered.Load() < all; seed++ {
		sure := answered.Load()
		after := openTopicsTest(t, fs.Crash(vfs.KeepSome, seed), nil)
		for i := range sure {
			if after.Catalog.Snapshot().Topic(fmt.Sprint("t", i)) == nil {
				t.Errorf("crash %d: t%d was answered and is gone", seed, i)
			}
		}
		want := 1 // the catalogue's log
		for _, topic := range after.Catalog.Snapshot().Topics() {
			want += int(topic.Partitions)
		}
		if got := len(after.Store.Logs()); got != want {
			t.Errorf("crash %d: %d logs, want %d", seed, got, want)
		}
		after.Abandon()
	}
	<-done
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnreadableCatalogueIsSaid(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	b := openTopicsTest(t, fs, nil)
	topic := mustCreate(t, b, defaults("t"))
	// Delete the log behind the catalogue's back.
	_, pos, err := b.Store.Submit(plog.Delete(b.Store.Log(plog.ID{Topic: topic.ID})))
	if err := errors.Join(err, b.Store.Wait(t.Context(), pos)); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Config{FS: fs, Dir: "/data"})
	if err == nil || !strings.Contains(err.Error(), "topic t: the log of partition 0") {
		t.Errorf("open: %v", err)
	}
}

// A full disk takes no topics, but those that commits and transactions are kept in: who
// commits for the first time then is served like all others.
func TestFullDiskTakesTheBrokersOwnTopics(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	b, err := Open(Config{FS: mem, Dir: "/data", Store: plog.Options{WALFileSize: 1 << 20, WALFiles: 4, DiskReserve: 8 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	mem.SetSpace(mem.Used() + 7<<20)
	if err := b.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if c := b.CreateTopics(t.Context(), []NewTopic{defaults("t")}, false, nil)[0]; !errors.Is(c.Err, kerr.KafkaStorageError) {
		t.Errorf("a client's topic: %v", c.Err)
	}
	for _, name := range []string{"__consumer_offsets", "__transaction_state", "__share_group_state"} {
		if err := b.EnsureTopic(t.Context(), name, 50, nil); err != nil || b.Partition(name, 49) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.EnsureTopic(t.Context(), "letters", 1, nil); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("a topic of dead letters: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// A start that is refused for its configs is none: what a clean stop has left is as good
// for the next one.
func TestRefusedConfigsCountNoStart(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	b := openTopicsTest(t, mem, nil)
	epoch := b.Epoch
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, static := range []map[string]string{{"no.such": "1"}, {"log.segment.bytes": "-5"}} {
		if _, err := Open(Config{FS: mem, Dir: "/data", Static: static}); !errors.Is(err, kerr.InvalidConfig) {
			t.Errorf("%v: %v", static, err)
		}
	}
	b = openTopicsTest(t, mem, nil)
	defer b.Close()
	if !b.Recovery.Clean || b.Epoch != epoch+1 {
		t.Errorf("clean %v, start %d after %d", b.Recovery.Clean, b.Epoch, epoch)
	}
}
