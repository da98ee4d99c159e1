// Package testcluster gives tests of Kafka clients a cluster: kfake, which is
// not ours, in memory; or, when LEAT_TEST_SEEDS names brokers, those. The tests
// of what stands above the log must not be able to tell one cluster from another,
// so the same tests run on kfake with every `go test`, and on Leat's own broker and
// on Apache Kafka where test/features starts them.
//
// Only tests import it.
package testcluster

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SeedsVariable names brokers, host:port with commas between, to use instead of
// kfake. Their cluster must be empty: tests remove all topics and groups that they
// find when they end. One package at a time (`go test -p 1`).
const SeedsVariable = "LEAT_TEST_SEEDS"

// fakePartitions is how many partitions a topic of kfake gets that is created
// without saying how many.
const fakePartitions = 3

// patience is how long a real cluster may take for anything: a group waits for
// a member that was killed until its session ends.
const patience = 90 * time.Second

// Cluster is a cluster that belongs to one test.
type Cluster struct {
	// Seeds are its brokers.
	Seeds []string
	// Dial connects to them, and nothing else does: they may be in memory.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Admin is a client of it, for the length of the test.
	Admin *kadm.Client

	client *kgo.Client    // Admin's
	fake   *kfake.Cluster // nil: a real one
	bubble bool
}

// InBubble runs a test with a cluster in a synctest bubble, where waiting costs
// nothing and time is exact. On a real cluster it does as Start.
func InBubble(t *testing.T, story func(*testing.T, *Cluster)) {
	t.Helper()
	if real() {
		story(t, Start(t))
		return
	}
	synctest.Test(t, func(t *testing.T) {
		n := &memNet{}
		c := &Cluster{Dial: n.dial, bubble: true}
		defer c.startFake(t, kfake.ListenFn(n.listen))()
		story(t, c)
	})
}

// Start gives a test a cluster in real time: for clients that may block in ways
// that a bubble's clock does not see, as members of a group that wait for each
// other do.
func Start(t *testing.T) *Cluster {
	t.Helper()
	c := &Cluster{Dial: (&net.Dialer{}).DialContext}
	if real() {
		t.Cleanup(c.startReal(t))
	} else {
		t.Cleanup(c.startFake(t))
	}
	return c
}

func real() bool { return os.Getenv(SeedsVariable) != "" }

func (c *Cluster) startFake(t *testing.T, opts ...kfake.Opt) (stop func()) {
	t.Helper()
	fake, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.DefaultNumPartitions(fakePartitions))...)
	if err != nil {
		t.Fatal(err)
	}
	c.fake, c.Seeds = fake, fake.ListenAddrs()
	c.client = c.Client(t)
	c.Admin = kadm.NewClient(c.client)
	return func() { c.client.Close(); fake.Close() }
}

func (c *Cluster) startReal(t *testing.T) (stop func()) {
	t.Helper()
	c.Seeds = strings.Split(os.Getenv(SeedsVariable), ",")
	c.client = c.Client(t)
	c.Admin = kadm.NewClient(c.client)
	if topics := c.Topics(t); len(topics) > 0 {
		t.Fatalf("the cluster of %s has %d topics, such as %s: tests want an empty one, whose topics they may remove", SeedsVariable, len(topics), topics[0])
	}
	return func() { c.clear(t); c.client.Close() }
}

// Client returns a client of the cluster; the caller closes it.
func (c *Cluster) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Seeds...), kgo.Dialer(c.Dial)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// Fake returns the kfake cluster for tests that make it fail; on a real cluster
// such a test is skipped.
func (c *Cluster) Fake(t testing.TB) *kfake.Cluster {
	t.Helper()
	if c.fake == nil {
		t.Skip("this cluster cannot be made to fail")
	}
	return c.fake
}

// ExactTime skips tests that measure time, where it is not a bubble's.
func (c *Cluster) ExactTime(t testing.TB) {
	t.Helper()
	if !c.bubble {
		t.Skip("time is not exact on this cluster")
	}
}

// Pass lets time pass in which nothing is to happen: d in a bubble, in real time a
// second, in which most of what is wrong shows.
func (c *Cluster) Pass(d time.Duration) {
	if !c.bubble {
		d = min(d, time.Second)
	}
	<-time.After(d)
}

// Until waits for a condition that nothing announces and returns whether it came
// to hold: for half an hour of a bubble's time.
func (c *Cluster) Until(cond func() bool) bool {
	wait, step := 30*time.Minute, 10*time.Millisecond
	if !c.bubble {
		wait = patience
	}
	deadline := time.After(wait)
	for !cond() {
		select {
		case <-time.After(step):
		case <-deadline:
			return false
		}
	}
	return true
}

// CreateTopic creates a topic with configs as name=value.
func (c *Cluster) CreateTopic(t testing.TB, topic string, partitions int32, configs ...string) {
	t.Helper()
	set := map[string]*string{}
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		set[k] = &v
	}
	res, err := c.Admin.CreateTopics(t.Context(), partitions, 1, set, topic)
	if err == nil {
		err = res[topic].Err
	}
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, func() bool { // the answer may come before every broker knows
		return c.Partitions(t, topic)[topic] == int(partitions)
	})
}

// DeleteRecords lets a partition begin at an offset, as retention does.
func (c *Cluster) DeleteRecords(t testing.TB, topic string, partition int32, to int64) {
	t.Helper()
	os := kadm.Offsets{}
	os.AddOffset(topic, partition, to, -1)
	res, err := c.Admin.DeleteRecords(t.Context(), os)
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// DefaultPartitions is how many partitions a topic gets that is created without
// saying how many.
func (c *Cluster) DefaultPartitions(t testing.TB) int {
	t.Helper()
	if c.fake != nil {
		return fakePartitions
	}
	brokers, err := c.Admin.ListBrokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	configs, err := c.Admin.DescribeBrokerConfigs(t.Context(), brokers[0].NodeID)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range configs[0].Configs {
		if n, err := strconv.Atoi(kv.MaybeValue()); kv.Key == "num.partitions" && err == nil {
			return n
		}
	}
	t.Fatal("the cluster does not tell its num.partitions")
	return 0
}

// Members is how many members a group has.
func (c *Cluster) Members(t testing.TB, group string) int {
	t.Helper()
	gs, err := c.Admin.DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return len(gs[group].Members)
}

func (c *Cluster) settled(t testing.TB, cond func() bool) {
	t.Helper()
	if !c.Until(cond) {
		t.Fatal("the cluster does not do as it said")
	}
}
