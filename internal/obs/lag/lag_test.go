package lag

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// setup starts a broker with topic in (2 partitions: 5 and 3 records, the first
// 2 of partition 0 deleted) and group g that committed 4 on partition 0.
func setup(t *testing.T) (*kfake.Cluster, *kadm.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	for p, n := range []int{5, 3} {
		for range n {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: int32(p), Value: []byte("v")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	adm := kadm.NewClient(cl)
	var start, commit kadm.Offsets
	start.AddOffset("in", 0, 2, -1)
	if _, err := adm.DeleteRecords(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	commit.AddOffset("in", 0, 4, -1)
	if err := adm.CommitAllOffsets(t.Context(), "g", commit); err != nil {
		t.Fatal(err)
	}
	return c, adm
}

func TestCollectorTellsOffsetsAndLag(t *testing.T) {
	t.Parallel()
	c, adm := setup(t)
	want := strings.ReplaceAll(`
# HELP kafka_broker_info 1; id and address of a broker are the labels.
# TYPE kafka_broker_info gauge
kafka_broker_info{address="ADDR",id="0"} 1
# HELP kafka_brokers Number of brokers in the cluster.
# TYPE kafka_brokers gauge
kafka_brokers 1
# HELP kafka_consumergroup_current_offset Offset the group has committed.
# TYPE kafka_consumergroup_current_offset gauge
kafka_consumergroup_current_offset{consumergroup="g",partition="0",topic="in"} 4
# HELP kafka_consumergroup_current_offset_sum Sum of the group's committed offsets over the topic's partitions.
# TYPE kafka_consumergroup_current_offset_sum gauge
kafka_consumergroup_current_offset_sum{consumergroup="g",topic="in"} 4
# HELP kafka_consumergroup_lag Records between the committed offset and the partition's end.
# TYPE kafka_consumergroup_lag gauge
kafka_consumergroup_lag{consumergroup="g",partition="0",topic="in"} 1
# HELP kafka_consumergroup_lag_sum Sum of the group's lag over the topic's partitions.
# TYPE kafka_consumergroup_lag_sum gauge
kafka_consumergroup_lag_sum{consumergroup="g",topic="in"} 1
# HELP kafka_consumergroup_members Number of members of the group.
# TYPE kafka_consumergroup_members gauge
kafka_consumergroup_members{consumergroup="g"} 0
# HELP kafka_topic_partition_current_offset Offset after the last record that may be read (high watermark).
# TYPE kafka_topic_partition_current_offset gauge
kafka_topic_partition_current_offset{partition="0",topic="in"} 5
kafka_topic_partition_current_offset{partition="1",topic="in"} 3
# HELP kafka_topic_partition_in_sync_replica Number of replicas in sync.
# TYPE kafka_topic_partition_in_sync_replica gauge
kafka_topic_partition_in_sync_replica{partition="0",topic="in"} 1
kafka_topic_partition_in_sync_replica{partition="1",topic="in"} 1
# HELP kafka_topic_partition_leader Id of the leader, -1 if there is none.
# TYPE kafka_topic_partition_leader gauge
kafka_topic_partition_leader{partition="0",topic="in"} 0
kafka_topic_partition_leader{partition="1",topic="in"} 0
# HELP kafka_topic_partition_leader_is_preferred 1 if the leader is the first replica.
# TYPE kafka_topic_partition_leader_is_preferred gauge
kafka_topic_partition_leader_is_preferred{partition="0",topic="in"} 1
kafka_topic_partition_leader_is_preferred{partition="1",topic="in"} 1
# HELP kafka_topic_partition_oldest_offset Offset of the oldest record still there (log start).
# TYPE kafka_topic_partition_oldest_offset gauge
kafka_topic_partition_oldest_offset{partition="0",topic="in"} 2
kafka_topic_partition_oldest_offset{partition="1",topic="in"} 0
# HELP kafka_topic_partition_replicas Number of replicas.
# TYPE kafka_topic_partition_replicas gauge
kafka_topic_partition_replicas{partition="0",topic="in"} 1
kafka_topic_partition_replicas{partition="1",topic="in"} 1
# HELP kafka_topic_partition_under_replicated_partition 1 if fewer replicas are in sync than there are.
# TYPE kafka_topic_partition_under_replicated_partition gauge
kafka_topic_partition_under_replicated_partition{partition="0",topic="in"} 0
kafka_topic_partition_under_replicated_partition{partition="1",topic="in"} 0
# HELP kafka_topic_partitions Number of partitions of the topic.
# TYPE kafka_topic_partitions gauge
kafka_topic_partitions{topic="in"} 2
# HELP leat_offsets_scrape_success 1 if the cluster answered everything the offsets and lag below are made of, else 0.
# TYPE leat_offsets_scrape_success gauge
leat_offsets_scrape_success 1
`, "ADDR", c.ListenAddrs()[0])
	if err := testutil.CollectAndCompare(New(adm, time.Hour, ""), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// Within the ttl a scrape costs the cluster nothing.
func TestCollectorAsksOncePerTTL(t *testing.T) {
	t.Parallel()
	c, adm := setup(t)
	asked := make(chan struct{}, 100)
	c.ControlKey(int16(kmsg.ListGroups), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked <- struct{}{}
		return nil, nil, false
	})
	r := prometheus.NewRegistry()
	r.MustRegister(New(adm, time.Hour, ""))
	for range 5 {
		if _, err := r.Gather(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(asked); n != 1 {
		t.Errorf("five scrapes asked %d times, want 1", n)
	}

	fresh := prometheus.NewRegistry()
	fresh.MustRegister(New(adm, 0, ""))
	for range 2 {
		if _, err := fresh.Gather(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(asked); n != 3 {
		t.Errorf("two scrapes without a ttl: %d looks in all, want 3", n)
	}
}

// A cluster that is gone leaves a page that says so, not a failed scrape.
func TestCollectorWithoutACluster(t *testing.T) {
	t.Parallel()
	cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"), kgo.RequestRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	want := `
# HELP leat_offsets_scrape_success 1 if the cluster answered everything the offsets and lag below are made of, else 0.
# TYPE leat_offsets_scrape_success gauge
leat_offsets_scrape_success 0
`
	if err := testutil.CollectAndCompare(New(kadm.NewClient(cl), time.Hour, ""), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// The members of a group of the consumer protocol count, too.
func TestConsumerProtocolMembers(t *testing.T) {
	t.Parallel()
	c, adm := setup(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumerGroup("new"), kgo.ConsumeTopics("in"), kgo.ServerSideBalancer())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.CloseAllowingRebalance()
	if err := cl.PollFetches(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s, err := look(t.Context(), adm)
	if err != nil {
		t.Fatal(err)
	}
	if s.members["new"] != 1 || s.members["g"] != 0 {
		t.Errorf("%v", s.members)
	}
}

// The lag of a share group is what its broker says it is: kfake tells none, so what is
// told is the group's members.
func TestShareGroupMembers(t *testing.T) {
	t.Parallel()
	c, adm := setup(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ShareGroup("queue"), kgo.ConsumeTopics("in"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	produced, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer produced.Close()
	for fetched := false; !fetched; {
		if err := produced.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		fetched = cl.PollFetches(ctx).NumRecords() > 0
		cancel()
	}
	s, err := look(t.Context(), adm)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.shared["queue"]; s.members["queue"] != 1 || !ok {
		t.Errorf("members %v, shared %v", s.members, s.shared)
	}
}
