package broker

import (
	"cmp"
	"context"
	"slices"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/ledger"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// shareShard is one partition of __share_group_state with the share-partitions that
// it holds.
type shareShard struct {
	*coordLog
	shares  *Shares
	loading sched.Mutex
	holds   []*sharePart // with mu held
	pruned  int64        // what was asked to be the log start
}

func (s *Shares) newShard(_ *catalog.Topic, l *coordLog) *shareShard {
	return &shareShard{coordLog: l, shares: s}
}

// load reads the log in the background.
func (s *shareShard) load(ctx context.Context) {
	if ctx.Err() == nil {
		s.ready()
	}
}

// ready reads the log if nobody has. The error is a kerr.
func (s *shareShard) ready() error {
	if !s.loaded.Load() {
		s.loading.Lock()
		if !s.loaded.Load() {
			s.read(context.Background(), s.replay, s.begin)
		}
		s.loading.Unlock()
	}
	return s.usable()
}

// begin begins the service of what was read. Called with mu held, which it lets go of.
func (s *shareShard) begin() {
	held := slices.SortedFunc(slices.Values(s.holds), compareShareParts)
	s.mu.Unlock()
	for _, sp := range held {
		sp.mu.Lock()
		gone := sp.m == nil
		sp.mu.Unlock()
		if gone {
			s.shares.drop(sp)
			continue
		}
		sp.tick()
	}
	s.loaded.Store(true)
}

func compareShareParts(a, b *sharePart) int {
	return cmp.Or(cmp.Compare(a.key.group, b.key.group), slices.Compare(a.key.topic[:], b.key.topic[:]), cmp.Compare(a.key.partition, b.key.partition))
}

// replay takes in one batch of the log.
func (s *shareShard) replay(b kafka.Batch) error {
	if b.Control() {
		return nil
	}
	return eachRecord(b, func(r kafka.Record) error {
		kind, key, head, state, err := share.Decode(r.Key, r.Value)
		if err != nil {
			return err
		}
		k := shareKey{key.Group, kafka.UUID(key.Topic), key.Partition}
		p := s.shares.b.PartitionByID(k.topic, k.partition)
		if p == nil || kind == share.Unknown {
			return nil // the topic was deleted
		}
		if sp := s.shares.add(k, s, p); sp != nil {
			sp.mu.Lock()
			sp.replay(kind, head, state, r.Offset)
			sp.mu.Unlock()
		}
		return nil
	}, s.skipped)
}

func (s *shareShard) hold(sp *sharePart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, sp)
}

func (s *shareShard) letGo(sp *sharePart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.holds, sp); i >= 0 {
		s.holds = slices.Delete(s.holds, i, i+1)
	}
}

// farBehind is how many records of the log may follow a share-partition's snapshot
// before it is written anew, so that what lies before can go.
const farBehind = 20_000

// prune keeps the logs of the state short.
func (s *Shares) prune() {
	for _, sh := range s.shards.all() {
		sh.prune()
	}
}

// prune moves the log start up to the oldest snapshot that is needed. It is called
// from the background.
func (s *shareShard) prune() {
	if s.usable() != nil {
		return
	}
	end := s.log.HighWatermark()
	s.mu.Lock()
	held := slices.SortedFunc(slices.Values(s.holds), compareShareParts)
	s.mu.Unlock()
	least := end
	for _, sp := range held {
		least = min(least, sp.oldest(end))
	}
	if least <= s.log.Start() || least <= s.pruned {
		return
	}
	if _, _, err := s.opt.Store.Submit(plog.SetStart(s.log, least)); err == nil {
		s.pruned = least
	}
}

// submit appends a record of the state, with other changes in the same append.
func (s *shareShard) submit(submit submitting, key, value []byte, more ...plog.Op) (base int64, pos plog.Pos, err error) {
	ops := append([]plog.Op{s.appending(kafka.BatchSpec{}, []ledger.Record{{Key: key, Value: value}})}, more...)
	res, pos, err := submit(ops...)
	if err != nil {
		return 0, 0, err
	}
	return res[0].Base, pos, nil
}

// settled waits until what was told at pos is on disk.
func (s *Shares) settled(pos plog.Pos) error { return s.b.Store.Wait(context.Background(), pos) }
