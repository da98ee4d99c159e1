package broker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// loadAtOnce is the default of GroupsOptions.LoadAtOnce.
const loadAtOnce = 256 << 10

// loaders is how many partitions are read at the same time.
const loaders = 4

// groupLoads are the partitions that are being read.
type groupLoads struct {
	cancel context.CancelFunc
	work   sched.WaitGroup

	mu          sched.Mutex
	count, left int // partitions
	sum         group.Replayed
}

func (l *groupLoads) stop() {
	if l.cancel != nil {
		l.cancel()
	}
	l.work.Wait()
}

// load makes the machines of a topic that exists, and reads their logs: before it
// returns when they are short, else in the background.
func (g *Groups) load(t *catalog.Topic) {
	began := sched.Now()
	ctx, cancel := sched.WithCancel(context.Background())
	g.loads.cancel = cancel
	shards := make([]*groupShard, t.Partitions)
	g.loads.count, g.loads.left = len(shards), len(shards)
	var size int64
	for p := range shards {
		shards[p] = newGroupShard(g, t, int32(p))
		if log := shards[p].log; log != nil {
			size += log.Size()
		}
	}
	limit := g.opt.LoadAtOnce
	if limit == 0 {
		limit = loadAtOnce
	}
	if size <= limit {
		for _, s := range shards {
			g.loadShard(ctx, s, began)
		}
		g.shards.Store(&shards)
		g.catchUp(shards)
		return
	}
	g.shards.Store(&shards)
	var next atomic.Int32
	for range loaders {
		g.loads.work.Add(1)
		sched.Go(func() {
			defer g.loads.work.Done()
			for p := next.Add(1) - 1; int(p) < len(shards) && ctx.Err() == nil; p = next.Add(1) - 1 {
				g.loadShard(ctx, shards[p], began)
			}
		})
	}
}

// loadShard reads one partition and, with the last one, tells what was found.
func (g *Groups) loadShard(ctx context.Context, s *groupShard, began time.Time) {
	var n group.Replayed
	if !s.load(ctx, &n) {
		return
	}
	l := &g.loads
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.Offsets += n.Offsets
	l.sum.Groups += n.Groups
	l.sum.Tombstones += n.Tombstones
	l.sum.Skipped += n.Skipped
	if l.left--; l.left == 0 {
		g.opt.Logger.Info("groups loaded", "partitions", l.count, "offsets", l.sum.Offsets, "groups", l.sum.Groups,
			"tombstones", l.sum.Tombstones, "skipped", l.sum.Skipped, "took", sched.Now().Sub(began))
	}
}

// newGroupShard makes a machine that knows nothing yet.
func newGroupShard(g *Groups, t *catalog.Topic, partition int32) *groupShard {
	cfg := g.cfg
	cfg.MaxWriteBytes = t.View.MaxMessageBytes
	return &groupShard{
		groups: g, partition: partition, machine: group.New(cfg),
		log: g.opt.Store.Log(plog.ID{Topic: t.ID, Partition: partition}),
	}
}

// load rebuilds the machine from its log and counts what it meets in n. It returns
// false when ctx ended before.
func (s *groupShard) load(ctx context.Context, n *group.Replayed) bool {
	err := errNoLog
	if s.log != nil {
		err = s.log.Fenced()
	}
	if err == nil {
		err = s.log.ReadAll(func(b kafka.Batch) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return s.replay(b, n)
		})
	}
	if ctx.Err() != nil {
		return false
	}
	s.mu.Lock()
	if err != nil {
		s.broken = err
		s.loaded.Store(true)
		s.mu.Unlock()
		s.groups.opt.Logger.Error("groups cannot be loaded from this partition; its groups are not available", "partition", s, "err", err)
		return true
	}
	out := s.carryOut(s.machine.Loaded(s.groups.opt.Now(), s.groups.topics()))
	s.loaded.Store(true)
	s.finish(out)
	return true
}

var errNoLog = errors.New("the catalogue names this partition, but it has no log")
