package wire

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// settled polls until a consumer group is stable with n members that have parts
// partitions together, and returns it.
func settled(t *testing.T, cl *kgo.Client, group string, n, parts int) kmsg.ConsumerGroupDescribeResponseGroup {
	t.Helper()
	for {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = []string{group}
		res, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		g := res.Groups[0]
		owned := 0
		for _, m := range g.Members {
			for _, topic := range m.Assignment.TopicPartitions {
				owned += len(topic.Partitions)
			}
		}
		if g.State == "Stable" && len(g.Members) == n && owned == parts {
			return g
		}
	}
}

// Members of a consumer group come and go; every record is read, and what is committed
// is the end. The broker is killed in between.
func TestFranzConsumerGroup(t *testing.T) {
	t.Parallel()
	for name, balancer := range map[string]kgo.GroupBalancer{"uniform": kgo.CooperativeStickyBalancer(), "range": kgo.RangeBalancer()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newGroupBench(t)
			if err := b.broker.EnsureTopic(t.Context(), "many", 6, nil); err != nil {
				t.Fatal(err)
			}
			admin := b.franz(t)
			y := newTally()
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer stop()
			join := func() *kgo.Client {
				cl := b.franz(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("many"), kgo.Balancers(balancer), kgo.ServerSideBalancer(),
					kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(50*time.Millisecond))
				wg.Go(func() { y.reader(ctx, t, cl) })
				return cl
			}
			produce(t, admin, "many", 0, 200)
			first := join()
			settled(t, admin, "g", 1, 6)
			y.wait(t, 200)
			join()
			join()
			if g := settled(t, admin, "g", 3, 6); g.AssignorName != name {
				t.Errorf("assignor %s", g.AssignorName)
			}
			produce(t, admin, "many", 200, 200)
			y.wait(t, 400)
			b.kill(t)
			produce(t, admin, "many", 400, 200)
			y.wait(t, 600)
			first.LeaveGroup()
			settled(t, admin, "g", 2, 6)
			produce(t, admin, "many", 600, 200)
			y.wait(t, 800)
			awaitConsumerLag(t, kadm.NewClient(admin), "g", "many")
		})
	}
}

// awaitConsumerLag polls until the group has committed all of the topic.
func awaitConsumerLag(t *testing.T, adm *kadm.Client, group, topic string) {
	t.Helper()
	ends, err := adm.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for {
		os, err := adm.FetchOffsets(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		behind := false
		ends.Each(func(end kadm.ListedOffset) {
			o, ok := os.Lookup(topic, end.Partition)
			behind = behind || end.Offset > 0 && (!ok || o.At != end.Offset)
		})
		if !behind {
			return
		}
	}
}

// A regular expression follows the topics that there are: the broker resolves it.
func TestFranzConsumerGroupExpression(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	admin := b.franz(t)
	y := newTally()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	if err := b.broker.EnsureTopic(t.Context(), "events.one", 1, nil); err != nil {
		t.Fatal(err)
	}
	cl := b.franz(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics(`events\..*`), kgo.ConsumeRegex(), kgo.ServerSideBalancer(),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(50*time.Millisecond))
	wg.Go(func() { y.reader(ctx, t, cl) })
	settled(t, admin, "g", 1, 1)
	produce(t, admin, "events.one", 0, 10)
	y.wait(t, 10)
	if err := b.broker.EnsureTopic(t.Context(), "events.two", 2, nil); err != nil {
		t.Fatal(err)
	}
	settled(t, admin, "g", 1, 3)
	produce(t, admin, "events.two", 10, 10)
	y.wait(t, 20)
	awaitConsumerLag(t, kadm.NewClient(admin), "g", "events.two")
}
