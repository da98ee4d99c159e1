package broker

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// shareShard is one partition of __share_group_state with the share-partitions that
// it holds.
type shareShard struct {
	shares    *Shares
	partition int32
	log       *plog.Log

	loaded  atomic.Bool // broken is settled
	loading sched.Mutex
	broken  error

	mu     sched.Mutex
	holds  []*sharePart
	pruned int64 // what was asked to be the log start
}

// ready reads the log if nobody has. The error is a kerr.
func (s *shareShard) ready() error {
	if !s.loaded.Load() {
		s.loading.Lock()
		if !s.loaded.Load() {
			s.broken = s.load()
			s.loaded.Store(true)
		}
		s.loading.Unlock()
	}
	return s.broken
}

// load rebuilds the machines from the log.
func (s *shareShard) load() error {
	err := errNoLog
	if s.log != nil {
		err = s.log.Fenced()
	}
	if err == nil {
		err = s.log.ReadAll(s.replay)
	}
	if err != nil {
		s.shares.b.Log.Error("the state of share groups cannot be read from this partition; they are not available",
			"topic", catalog.ShareStateTopic, "partition", s.partition, "err", err)
		return kerr.CoordinatorNotAvailable
	}
	s.mu.Lock()
	held := slices.Clone(s.holds)
	s.mu.Unlock()
	sortShareParts(held)
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
	return nil
}

func sortShareParts(ps []*sharePart) {
	slices.SortFunc(ps, func(a, b *sharePart) int {
		return cmp.Or(cmp.Compare(a.key.group, b.key.group), slices.Compare(a.key.topic[:], b.key.topic[:]), cmp.Compare(a.key.partition, b.key.partition))
	})
}

// replay takes in one batch of the log.
func (s *shareShard) replay(b kafka.Batch) error {
	if b.Control() {
		return nil
	}
	for r, err := range b.Records(maxGroupRecords) {
		if err != nil {
			return err
		}
		kind, key, head, state, err := share.Decode(r.Key, r.Value)
		if err != nil {
			s.shares.b.Log.Warn("a record of the share groups' state cannot be read and is skipped",
				"topic", catalog.ShareStateTopic, "partition", s.partition, "offset", r.Offset, "err", err)
			continue
		}
		k := shareKey{key.Group, kafka.UUID(key.Topic), key.Partition}
		p := s.shares.b.PartitionByID(k.topic, k.partition)
		if p == nil || kind == share.Unknown {
			continue // the topic was deleted
		}
		sp := s.shares.add(k, s, p)
		if sp == nil {
			continue
		}
		sp.mu.Lock()
		sp.replay(kind, head, state, r.Offset)
		sp.mu.Unlock()
	}
	return nil
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

// prune moves the log start up to the oldest snapshot that is needed. It is called
// from the background.
func (s *shareShard) prune() {
	if !s.loaded.Load() || s.broken != nil || s.log == nil {
		return
	}
	end := s.log.HighWatermark()
	s.mu.Lock()
	held := slices.Clone(s.holds)
	s.mu.Unlock()
	sortShareParts(held)
	least := end
	for _, sp := range held {
		least = min(least, sp.oldest(end))
	}
	if least <= s.log.Start() || least <= s.pruned {
		return
	}
	if _, _, err := s.shares.b.Store.Submit(plog.SetStart(s.log, least)); err == nil {
		s.pruned = least
	}
}

// submit appends a record of the state, with other changes in the same append.
func (s *shareShard) submit(submit submitting, key, value []byte, more ...plog.Op) (base int64, pos plog.Pos, err error) {
	r := kafka.Record{Timestamp: s.shares.b.Now().UnixMilli(), Key: key, Value: value}
	ops := append([]plog.Op{plog.Append(s.log, kafka.Build(kafka.BatchSpec{}, []kafka.Record{r}))}, more...)
	res, pos, err := submit(ops...)
	if err != nil {
		return 0, 0, err
	}
	return res[0].Base, pos, nil
}

// settled waits until what was told at pos is on disk.
func (s *Shares) settled(pos plog.Pos) error { return s.b.Store.Wait(context.Background(), pos) }
