package wire

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ledger knows what the members of a group have read, and what of it they have
// committed.
type ledger struct {
	mu        sync.Mutex
	read      map[string]bool
	committed map[string]bool
	more      chan struct{}
}

func newLedger() *ledger {
	return &ledger{read: map[string]bool{}, committed: map[string]bool{}, more: make(chan struct{}, 1)}
}

// member reads and commits what it has read, before it lets a rebalance pass, until its
// context ends. Nothing that was committed may come again.
func (l *ledger) member(ctx context.Context, t *testing.T, cl *kgo.Client) {
	for {
		fs := cl.PollFetches(ctx)
		if fs.IsClientClosed() || ctx.Err() != nil {
			return
		}
		var keys []string
		l.mu.Lock()
		fs.EachRecord(func(r *kgo.Record) {
			key := fmt.Sprint(r.Partition, "/", r.Offset)
			if l.committed[key] {
				t.Errorf("%s was read again after a commit", key)
			}
			l.read[key] = true
			keys = append(keys, key)
		})
		l.mu.Unlock()
		if err := cl.CommitUncommittedOffsets(ctx); err == nil {
			l.mu.Lock()
			for _, k := range keys {
				l.committed[k] = true
			}
			l.mu.Unlock()
		}
		cl.AllowRebalance()
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
}

// wait returns when n records have been committed.
func (l *ledger) wait(t *testing.T, n int) {
	t.Helper()
	for {
		l.mu.Lock()
		have := len(l.committed)
		l.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-l.more:
		case <-t.Context().Done():
			t.Fatalf("%d of %d records came", have, n)
		}
	}
}

// The members of a live group are restarted one by one with the new protocol, and then
// with the old one: the group goes along, everything is read, and nothing is read again
// that was committed.
func TestFranzGroupUpgrade(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	if err := b.broker.EnsureTopic(t.Context(), "many", 6, nil); err != nil {
		t.Fatal(err)
	}
	admin := b.franz(t)
	l := newLedger()
	var wg sync.WaitGroup
	defer wg.Wait()
	type running struct {
		cl   *kgo.Client
		stop context.CancelFunc
	}
	start := func(server bool) running {
		opts := []kgo.Opt{
			kgo.ConsumerGroup("g"), kgo.ConsumeTopics("many"), kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(),
			kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(20 * time.Millisecond), kgo.FetchMaxWait(50 * time.Millisecond),
		}
		if server {
			opts = append(opts, kgo.ServerSideBalancer())
		}
		ctx, stop := context.WithCancel(t.Context())
		cl := b.franz(t, opts...)
		wg.Go(func() { l.member(ctx, t, cl) })
		return running{cl, stop}
	}
	sent := 0
	send := func() {
		t.Helper()
		produce(t, admin, "many", sent, 100)
		sent += 100
		l.wait(t, sent)
	}
	kind := func(want string) {
		t.Helper()
		for {
			req := kmsg.NewPtrListGroupsRequest()
			req.TypesFilter, req.StatesFilter = []string{want}, []string{"Stable"}
			res, err := req.RequestWith(t.Context(), admin)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Groups) == 1 {
				return
			}
		}
	}
	var members []running
	for range 3 {
		members = append(members, start(false))
	}
	send()
	kind("classic")
	for _, server := range []bool{true, false} {
		for i, old := range members {
			old.cl.LeaveGroup()
			old.stop()
			old.cl.CloseAllowingRebalance()
			members[i] = start(server)
			send()
		}
		if server {
			settled(t, admin, "g", 3, 6)
			kind("consumer")
			send()
		}
	}
	kind("classic")
	send()
	for _, m := range members {
		m.stop()
	}
}
