package work

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
)

// SettleMS is from a member's coming or going until every partition has exactly one
// owner again, in ms.
const SettleMS = "settle_ms"

// heartbeat is the interval of the members; brokers that set it themselves
// (KIP-848) are started with the same.
const heartbeat = 500 * time.Millisecond

// rebalanceRow measures how long a group of many members is unsettled by one
// member that leaves, and by one that comes, in both protocols.
func rebalanceRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	var all []Result
	for _, c := range []struct {
		part string
		opts []kgo.Opt
	}{
		{"classic", nil},
		{"consumer", []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer())}},
	} {
		var results []Result
		_, err := withTopic(ctx, e, r, e.Members, nil, func(topic string) (res Result, _ int64, err error) {
			results, err = rebalances(ctx, e, r, topic, c.opts)
			return res, 0, err
		})
		for _, res := range results {
			res.Row = c.part + "-" + res.Row
			all = append(all, res)
		}
		if err != nil {
			return all, fmt.Errorf("%s: %w", c.part, err)
		}
	}
	return all, nil
}

// rebalances are those of one group with a partition for each member.
func rebalances(ctx context.Context, e *Env, r *peers.Running, topic string, opts []kgo.Opt) (all []Result, err error) {
	g := &owners{topic: topic, of: map[int32]int{}, holds: map[int]int{}, changed: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var members []*kgo.Client
	defer func() {
		var leaving sync.WaitGroup
		for _, m := range members {
			leaving.Go(m.Close)
		}
		leaving.Wait()
	}()
	join := func(i int) error {
		m, err := g.member(ctx, r, i, opts)
		if err != nil {
			return err
		}
		members = append(members, m)
		go func() {
			for ctx.Err() == nil && !m.PollFetches(ctx).IsClientClosed() {
			}
		}()
		return nil
	}
	measure := func(row string, change func() error, settled func() error) error {
		m, err := begin(r)
		if err != nil {
			return err
		}
		if err := change(); err != nil {
			return err
		}
		at, err := g.wait(ctx, settled)
		if err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
		took := at.Sub(m.began)
		res, err := m.end()
		if err != nil {
			return err
		}
		res.Row, res.Client = row, franz
		res.Values[SettleMS] = took.Seconds() * 1e3
		all = append(all, res)
		return nil
	}
	everyone := func() error { return g.each(e.Members, e.Members) }
	err = measure("start", func() error {
		for i := range e.Members {
			if err := join(i); err != nil {
				return err
			}
		}
		return nil
	}, everyone)
	if err != nil {
		return all, err
	}
	err = measure("leave", func() error {
		members[0].Close()
		members = members[1:]
		return nil
	}, func() error { return g.each(e.Members, e.Members-1) })
	if err != nil {
		return all, err
	}
	err = measure("join", func() error { return join(e.Members) }, everyone)
	return all, err
}

// owners is who has which partition, as the members are told.
type owners struct {
	topic string

	mu      sync.Mutex
	of      map[int32]int // member by partition
	holds   map[int]int   // partitions by member
	at      time.Time     // of the last change
	failure error
	changed chan struct{} // closed on a change, and made anew
}

// member joins the group.
func (g *owners) member(ctx context.Context, r *peers.Running, i int, opts []kgo.Opt) (*kgo.Client, error) {
	take := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.took(i, parts[g.topic]) }
	give := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.gave(i, parts[g.topic]) }
	return newFranz(r.Addr, append([]kgo.Opt{
		kgo.ConsumerGroup("group-" + g.topic), kgo.ConsumeTopics(g.topic), kgo.HeartbeatInterval(heartbeat), kgo.SessionTimeout(30 * time.Second),
		kgo.OnPartitionsAssigned(take), kgo.OnPartitionsRevoked(give), kgo.OnPartitionsLost(give),
	}, opts...)...)
}

func (g *owners) took(member int, parts []int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range parts {
		if other, taken := g.of[p]; taken && g.failure == nil {
			g.failure = fmt.Errorf("partition %d is given to member %d while %d has it", p, member, other)
		}
		g.of[p] = member
		g.holds[member]++
	}
	g.touch(len(parts))
}

func (g *owners) gave(member int, parts []int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range parts {
		if g.of[p] == member {
			delete(g.of, p)
		}
		if g.holds[member]--; g.holds[member] == 0 {
			delete(g.holds, member)
		}
	}
	g.touch(len(parts))
}

// touch tells of a change; of none it does not. Called with mu held.
func (g *owners) touch(n int) {
	if n == 0 {
		return
	}
	g.at = time.Now()
	close(g.changed)
	g.changed = make(chan struct{})
}

// each is nil when all partitions are owned, by so many members.
func (g *owners) each(partitions, members int) error {
	if len(g.of) != partitions || len(g.holds) != members {
		return fmt.Errorf("%d of %d partitions are owned, by %d of %d members", len(g.of), partitions, len(g.holds), members)
	}
	return nil
}

// stays is how long a group must be settled to have settled.
const stays = 2 * heartbeat

// wait waits until settled is nil and stays so; it returns when that began.
func (g *owners) wait(ctx context.Context, settled func() error) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, createPatience, errors.New("the group does not settle"))
	defer cancel()
	for {
		g.mu.Lock()
		err, at, failure, changed := settled(), g.at, g.failure, g.changed
		g.mu.Unlock()
		if failure != nil {
			return at, failure
		}
		var quiet <-chan time.Time
		if err == nil {
			quiet = time.After(stays)
		}
		select {
		case <-changed:
		case <-quiet:
			return at, nil
		case <-ctx.Done():
			return at, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
