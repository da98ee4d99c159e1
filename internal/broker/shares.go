package broker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// Shares is the shell of share groups (KIP-932): one machine of package share for each
// share-partition, with a lock, the log of its state and the clock around it. Its
// methods may be called from any goroutine.
type Shares struct {
	b      *Broker
	opt    CoordOptions
	shards coordShards[*shareShard]

	mu    sched.RWMutex
	parts map[shareKey]*sharePart
	byID  map[string]map[shareKey]*sharePart // by group

	sessions shareSessions
	loop     coordLoop[*sharePart]
}

// shareKey names a share-partition.
type shareKey struct {
	group     string
	topic     kafka.UUID
	partition int32
}

func (k shareKey) key() share.Key {
	return share.Key{Group: k.group, Topic: k.topic, Partition: k.partition}
}

// String is Kafka's name for the key, by which clients look for its coordinator.
func (k shareKey) String() string {
	return k.group + ":" + k.topic.String() + ":" + strconv.Itoa(int(k.partition))
}

// pruneEvery is how often the logs of the state are looked at for what can go.
const pruneEvery = time.Minute

func newShares(b *Broker, opt CoordOptions) *Shares {
	s := &Shares{b: b, opt: opt, parts: map[shareKey]*sharePart{}, byID: map[string]map[shareKey]*sharePart{}}
	s.sessions.byKey = map[sessionKey]*ShareSession{}
	strays := map[string]bool{} // groups that did not exist the last time
	s.loop.start(coordWork[*sharePart]{
		now: opt.Now, compare: compareShareParts, tick: (*sharePart).tick,
		every: pruneEvery, chore: func() {
			strays = s.sweep(strays)
			s.prune()
		},
	})
	// Shards are read when they are asked for, or soon in the background: locks that are
	// kept end, and the lag of groups is told, before anybody asks.
	s.opt.LoadAtOnce = -1
	s.shards.start(&s.opt, coordTopic[*shareShard]{
		name: catalog.ShareStateTopic, partitions: "share.coordinator.state.topic.num.partitions",
		configs: func(c *catalog.Snapshot) map[string]string {
			return map[string]string{
				// All changes of a share-partition have one key: compaction would lose all but
				// the last. What is no longer needed goes by the log start, see prune.
				"cleanup.policy":   "delete",
				"retention.ms":     "-1",
				"retention.bytes":  "-1",
				"compression.type": "producer",
				"segment.bytes":    strconv.FormatInt(max(1<<20, c.Int("share.coordinator.state.topic.segment.bytes")), 10),
			}
		},
		shard: s.newShard, read: func([]*shareShard, time.Duration) {},
	})
	return s
}

// close ends the work in the background.
func (s *Shares) close() {
	s.shards.stop()
	s.loop.stop()
}

// Ready makes __share_group_state if it does not exist. An error is a kerr that
// clients of a group understand.
func (s *Shares) Ready(ctx context.Context) error { return s.shards.ready(ctx) }

// shard is where the state of a share-partition lies: Kafka's choice.
func (s *Shares) shard(k shareKey) *shareShard { return s.shards.of(k.String()) }

// find returns the share-partition, which is made known if it was not. The error is a
// kerr.
func (s *Shares) find(group string, p *Partition) (*sharePart, error) {
	k := shareKey{group, p.TopicID(), p.Index}
	s.mu.RLock()
	sp := s.parts[k]
	s.mu.RUnlock()
	if sp != nil && sp.shard.loaded.Load() {
		return sp, sp.shard.usable()
	}
	if err := s.Ready(context.Background()); err != nil {
		return nil, err
	}
	shard := s.shard(k)
	if err := shard.ready(); err != nil {
		return nil, err
	}
	if sp = s.add(k, shard, p); sp == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	return sp, nil
}

// add makes a share-partition known; nil when its topic was deleted meanwhile: whoever
// was woken by that must not bring it back.
func (s *Shares) add(k shareKey, shard *shareShard, p *Partition) *sharePart {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.parts[k]; sp != nil {
		return sp
	}
	if s.b.PartitionByID(k.topic, k.partition) != p {
		return nil
	}
	sp := &sharePart{shares: s, key: k, shard: shard, part: p}
	s.parts[k] = sp
	if s.byID[k.group] == nil {
		s.byID[k.group] = map[shareKey]*sharePart{}
	}
	s.byID[k.group][k] = sp
	shard.hold(sp)
	return sp
}

// drop forgets a share-partition.
func (s *Shares) drop(sp *sharePart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts[sp.key] != sp {
		return
	}
	delete(s.parts, sp.key)
	delete(s.byID[sp.key.group], sp.key)
	if len(s.byID[sp.key.group]) == 0 {
		delete(s.byID, sp.key.group)
	}
	sp.shard.letGo(sp)
}

// ofGroup returns the share-partitions of a group.
func (s *Shares) ofGroup(group string) []*sharePart {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*sharePart, 0, len(s.byID[group]))
	for _, sp := range s.byID[group] {
		out = append(out, sp)
	}
	slices.SortFunc(out, compareShareParts)
	return out
}

// shareCode is the code of an error of Shares, which are kerrs.
func shareCode(err error) int16 {
	if err == nil {
		return 0
	}
	if errors.Is(err, plog.ErrDeleted) {
		return kerr.UnknownTopicOrPartition.Code
	}
	return groupCode(err)
}

// Available says whether the coordinator of a share-partition can be used: nil, or a
// kerr. The key is Kafka's: group:topic id:partition.
func (s *Shares) Available(ctx context.Context, key string) error {
	rest, partition, ok := cutLast(key)
	group, topic, ok2 := cutLast(rest)
	n, err := strconv.ParseInt(partition, 10, 32)
	id, badID := kafka.ParseUUID(topic)
	if !ok || !ok2 || badID != nil || err != nil || group == "" || n < 0 {
		return catalog.Refuse(kerr.InvalidRequest, "The key of a share-partition's coordinator is group:topicId:partition, not %q.", key)
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	return s.shard(shareKey{group, id, int32(n)}).ready()
}

// cutLast cuts at the last colon: a group's name may have some.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
