package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// dialer connects franz-go to the bench as it is at that moment: after a kill, to
// the one after it.
func (b *groupBench) dialer() kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		b.mu.Lock()
		mem := b.mem
		b.mu.Unlock()
		return mem.Dial(ctx, network, addr)
	})
}

func (b *groupBench) franz(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(memoryAddr), b.dialer(), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
		kgo.MetadataMinAge(10 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.CloseAllowingRebalance)
	return cl
}

// produce appends n records, named from first on, and waits until they are
// acknowledged.
func produce(t *testing.T, cl *kgo.Client, topic string, first, n int) {
	t.Helper()
	var rs []*kgo.Record
	for i := range n {
		k := fmt.Sprint(first + i)
		rs = append(rs, &kgo.Record{Topic: topic, Key: []byte(k), Value: []byte(k)})
	}
	if err := cl.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// tally counts how often each record came to any member of a group.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
	more chan struct{}
}

func newTally() *tally { return &tally{seen: map[string]int{}, more: make(chan struct{}, 1)} }

// reader is a member that reads, and commits what it has read, until its context
// ends.
func (y *tally) reader(ctx context.Context, t *testing.T, cl *kgo.Client) {
	for {
		fs := cl.PollFetches(ctx)
		if fs.IsClientClosed() || ctx.Err() != nil {
			return
		}
		fs.EachError(func(topic string, p int32, err error) {
			// That it has to join anew is no error: a test kills the broker.
			if lost := (*kgo.ErrGroupSession)(nil); !errors.As(err, &lost) {
				t.Errorf("fetch of %s/%d: %v", topic, p, err)
			}
		})
		y.mu.Lock()
		fs.EachRecord(func(r *kgo.Record) { y.seen[string(r.Value)]++ })
		y.mu.Unlock()
		// A rebalance may come between; then somebody reads the same again.
		if err := cl.CommitUncommittedOffsets(ctx); err == nil {
			cl.AllowRebalance()
		}
		select {
		case y.more <- struct{}{}:
		default:
		}
	}
}

// wait returns when n different records have come.
func (y *tally) wait(t *testing.T, n int) {
	t.Helper()
	for {
		y.mu.Lock()
		have := len(y.seen)
		y.mu.Unlock()
		if have >= n {
			if have > n {
				t.Fatalf("%d records came, %d were sent", have, n)
			}
			return
		}
		select {
		case <-y.more:
		case <-t.Context().Done():
			t.Fatalf("%d of %d records came", have, n)
		}
	}
}

// awaitLag polls until the group has read all.
func awaitLag(t *testing.T, adm *kadm.Client, group string) kadm.DescribedGroupLag {
	t.Helper()
	for {
		lags, err := adm.Lag(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		l := lags[group]
		if l.Error() != nil {
			t.Fatal(l.Error())
		}
		if l.Lag.Total() == 0 && l.State == "Stable" {
			return l
		}
	}
}

// Gotcha §9.10 with a real client: members come and go, eagerly and
// cooperatively; every record is read, and what is committed is the end.
func TestFranzGroups(t *testing.T) {
	t.Parallel()
	for name, balancer := range map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "sticky": kgo.StickyBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newGroupBench(t)
			if err := b.broker.EnsureTopic(t.Context(), "many", 6, nil); err != nil {
				t.Fatal(err)
			}
			admin := b.franz(t)
			adm := kadm.NewClient(admin)
			y := newTally()
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer stop()
			join := func() *kgo.Client {
				cl := b.franz(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("many"), kgo.Balancers(balancer),
					kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(20*time.Millisecond), kgo.FetchMaxWait(50*time.Millisecond))
				wg.Go(func() { y.reader(ctx, t, cl) })
				return cl
			}
			members := func(n int) {
				for {
					ds, err := adm.DescribeGroups(t.Context(), "g")
					if err != nil {
						t.Fatal(err)
					}
					g := ds["g"]
					if g.State != "Stable" || len(g.Members) != n {
						continue
					}
					owned := 0
					for _, m := range g.Members {
						if a, ok := m.Assigned.AsConsumer(); ok {
							for _, topic := range a.Topics {
								owned += len(topic.Partitions)
							}
						}
					}
					if owned == 6 { // a cooperative group gets there in two steps
						return
					}
				}
			}
			produce(t, admin, "many", 0, 200)
			first := join()
			members(1)
			y.wait(t, 200)
			second := join()
			members(2)
			join()
			members(3)
			produce(t, admin, "many", 200, 200)
			y.wait(t, 400)
			first.LeaveGroup() // the leader
			members(2)
			produce(t, admin, "many", 400, 200)
			y.wait(t, 600)
			second.CloseAllowingRebalance()
			members(1)
			produce(t, admin, "many", 600, 200)
			y.wait(t, 800)
			if l := awaitLag(t, adm, "g"); l.Protocol != balancer.ProtocolName() {
				t.Errorf("protocol %s", l.Protocol)
			}
		})
	}
}

// Gotcha §9.10: a static member that restarts within its session takes nothing
// from the others.
func TestFranzStaticMember(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	admin := b.franz(t)
	adm := kadm.NewClient(admin)
	var mu sync.Mutex
	events := map[string]int{}
	start := func(id string) *kgo.Client {
		count := func(what string) func(context.Context, *kgo.Client, map[string][]int32) {
			return func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
				mu.Lock()
				defer mu.Unlock()
				events[id+" "+what] += len(ps["t"])
			}
		}
		return b.franz(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.InstanceID(id), kgo.Balancers(kgo.RangeBalancer()),
			kgo.OnPartitionsAssigned(count("assigned")), kgo.OnPartitionsRevoked(count("revoked")), kgo.OnPartitionsLost(count("lost")),
			kgo.HeartbeatInterval(20*time.Millisecond), kgo.FetchMaxWait(50*time.Millisecond))
	}
	stable := func(n int) kadm.DescribedGroup {
		t.Helper()
		for {
			ds, err := adm.DescribeGroups(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			if g := ds["g"]; g.State == "Stable" && len(g.Members) == n {
				return g
			}
		}
	}
	ids := func(g kadm.DescribedGroup) (ids []string) {
		for _, m := range g.Members {
			ids = append(ids, m.MemberID)
		}
		slices.Sort(ids)
		return ids
	}
	one := start("one")
	defer one.Close()
	stable(1)
	two := start("two")
	before := ids(stable(2))
	produce(t, admin, "t", 0, 30)
	mu.Lock()
	revoked := events["one revoked"]
	mu.Unlock()
	two.Close() // a static member leaves no group
	two = start("two")
	defer two.Close()
	var after []string
	for len(after) == 0 || slices.Equal(before, after) {
		after = ids(stable(2))
	}
	if after[0] != before[0] { // "one-..." sorts first
		t.Errorf("the other member changed: %q became %q", before, after)
	}
	mu.Lock()
	if events["one revoked"] != revoked || events["one lost"] != 0 {
		t.Errorf("the other member lost partitions: %v", events)
	}
	mu.Unlock()
	// The administrator takes it out by its name.
	res, err := adm.LeaveGroup(t.Context(), kadm.LeaveGroup("g").InstanceIDs("two", "nobody").Reason("decommissioned"))
	if err != nil {
		t.Fatal(err)
	}
	if err := res["two"].Err; err != nil {
		t.Error(err)
	}
	if err := res["nobody"].Err; err != kerr.UnknownMemberID {
		t.Error(err)
	}
}

// Gotcha §9.15: the broker is killed while a group reads; it goes on by itself
// from what was committed, and nothing that was acknowledged is missing.
func TestFranzGroupOverAKill(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	admin := b.franz(t)
	adm := kadm.NewClient(admin)
	y := newTally()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for range 2 {
		cl := b.franz(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
			kgo.HeartbeatInterval(20*time.Millisecond), kgo.FetchMaxWait(50*time.Millisecond))
		wg.Go(func() { y.reader(ctx, t, cl) })
	}
	sent := 0
	for range 3 {
		produce(t, admin, "t", sent, 100)
		sent += 100
		y.wait(t, sent)
		b.kill(t)
	}
	produce(t, admin, "t", sent, 100)
	y.wait(t, sent+100)
	awaitLag(t, adm, "g")
}

// What an administrator does with groups, by kadm.
func TestFranzAdmin(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	cl := b.franz(t)
	adm := kadm.NewClient(cl)
	produce(t, cl, "u", 0, 10)
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: "u", Partition: 0, At: 4, LeaderEpoch: -1, Metadata: "four"})
	os.Add(kadm.Offset{Topic: "t", Partition: 1, At: 0, LeaderEpoch: -1})
	if _, err := adm.CommitOffsets(t.Context(), "g", os); err != nil {
		t.Fatal(err)
	}
	got, err := adm.FetchOffsets(t.Context(), "g")
	if err != nil || got["u"][0].At != 4 || got["u"][0].Metadata != "four" || got["t"][1].At != 0 || len(got["t"]) != 1 {
		t.Fatalf("%v, %+v", err, got)
	}
	lags, err := adm.Lag(t.Context(), "g", "none")
	if err != nil {
		t.Fatal(err)
	}
	g := lags["g"]
	if g.State != "Empty" || g.Lag.Total() != 6 {
		t.Errorf("lag %d in state %s, %v", g.Lag.Total(), g.State, g.Error())
	}
	listed, err := adm.ListGroups(t.Context())
	if err != nil || !slices.Equal(listed.Groups(), []string{"g"}) {
		t.Errorf("%v, %+v", err, listed)
	}
	var gone kadm.TopicsSet
	gone.Add("u", 0)
	if r, err := adm.DeleteOffsets(t.Context(), "g", gone); err != nil || r.Error() != nil {
		t.Error(err, r)
	}
	if got, err = adm.FetchOffsets(t.Context(), "g"); err != nil || len(got["u"]) != 0 || len(got["t"]) != 1 {
		t.Errorf("%v, %+v", err, got)
	}
	deleted, err := adm.DeleteGroups(t.Context(), "g", "none")
	if err != nil {
		t.Fatal(err)
	}
	if deleted["g"].Err != nil || deleted["none"].Err != kerr.GroupIDNotFound {
		t.Errorf("%+v", deleted)
	}
	if listed, err = adm.ListGroups(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("%v, %+v", err, listed)
	}
}
