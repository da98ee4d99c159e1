package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// OffsetsTopic is where groups and their offsets are kept.
const OffsetsTopic = "__consumer_offsets"

// Groups is the group coordinator: the machines of package group, one per
// partition of __consumer_offsets, with a lock, the log and the clock around
// each. Its methods may be called from any goroutine. They do not wait: what
// they are asked for is handed to the callback, exactly once, from any
// goroutine and maybe before they return. A callback must not block.
type Groups struct {
	opt GroupsOptions
	cfg group.Config

	// shards are the machines, by partition; nil until the topic exists.
	shards atomic.Pointer[[]*groupShard]
	create sched.Mutex // held while the topic is made

	loop  coordLoop[*groupShard]
	loads groupLoads
}

// GroupsOptions are what Groups stands on. All are needed.
type GroupsOptions struct {
	Store   *plog.Store
	Catalog *catalog.Catalog
	// CreateTopic makes a topic of the broker's own; it returns when the topic
	// can be used, and without error when it was there.
	CreateTopic func(ctx context.Context, name string, partitions int32, configs map[string]string) error
	// Burial ends the places of a share group: see Shares.burial. Without it there are
	// none.
	Burial func(group string) (ops []plog.Op, done func(error), err error)
	Logger *slog.Logger
	Now    func() time.Time
	// LoadAtOnce is how many bytes of the groups' log are read before NewGroups
	// returns; more of them are read in the background. 0 = 256 KiB, which takes less
	// time than a client needs to connect; negative = none.
	LoadAtOnce int64
}

// NewGroups loads the groups that the log holds and starts to watch their
// deadlines. Records that cannot be read are skipped, and a partition whose log
// cannot be read is left out, both with a line in the log: its groups are not
// available, the others are. A long log is read in the background; until a
// partition is through, its groups answer COORDINATOR_LOAD_IN_PROGRESS.
func NewGroups(opt GroupsOptions) *Groups {
	s := opt.Catalog.Snapshot()
	g := &Groups{opt: opt, cfg: group.DefaultConfig()}
	g.cfg.MinSessionTimeout = s.Millis("group.min.session.timeout.ms")
	g.cfg.MaxSessionTimeout = s.Millis("group.max.session.timeout.ms")
	g.cfg.InitialRebalanceDelay = max(s.Millis("group.initial.rebalance.delay.ms"), 0)
	g.cfg.MaxSize = int(s.Int("group.max.size"))
	g.cfg.OffsetMetadataMaxSize = int(s.Int("offset.metadata.max.bytes"))
	g.cfg.OffsetsRetention = time.Duration(s.Int("offsets.retention.minutes")) * time.Minute
	g.cfg.OffsetsRetentionCheckInterval = s.Millis("offsets.retention.check.interval.ms")
	g.cfg.ConsumerAssignors = s.List("group.consumer.assignors")
	g.cfg.ConsumerMaxSize = int(s.Int("group.consumer.max.size"))
	policy := strings.ToLower(s.Text("group.consumer.migration.policy"))
	g.cfg.ConsumerUpgrade = policy == "bidirectional" || policy == "upgrade"
	g.cfg.ConsumerDowngrade = policy == "bidirectional" || policy == "downgrade"
	g.cfg.ShareMaxSize = int(s.Int("group.share.max.size"))
	g.cfg.Share = func(id string) group.ShareSettings {
		s := opt.Catalog.Snapshot()
		return group.ShareSettings{Session: s.GroupMillis(id, "share.session.timeout.ms"), Heartbeat: s.GroupMillis(id, "share.heartbeat.interval.ms")}
	}
	g.cfg.Consumer = func(id string) group.ConsumerSettings {
		s := opt.Catalog.Snapshot()
		return group.ConsumerSettings{
			Session:    s.GroupMillis(id, "consumer.session.timeout.ms"),
			Heartbeat:  s.GroupMillis(id, "consumer.heartbeat.interval.ms"),
			Assignment: s.GroupMillis(id, "consumer.assignment.interval.ms"),
		}
	}
	// A random UUID, as Kafka's: a member id must be hard to guess.
	g.cfg.NewID = func() string { return kafka.DrawUUID(sched.Random).String() }
	g.loop.start(opt.Now)
	if t := s.Topic(OffsetsTopic); t != nil {
		g.load(t)
	}
	return g
}

// Close stops watching deadlines. Requests that still wait are not answered: the
// connections they came by are gone, or answer for themselves.
func (g *Groups) Close() {
	g.loads.stop()
	g.loop.stop()
}

// shard returns the machine of a group. The topic is made for the first one.
func (g *Groups) shard(groupID string) (*groupShard, error) {
	if len(groupID) > math.MaxInt16 {
		return nil, kerr.InvalidGroupID // no record could have it for a key
	}
	if err := g.Ready(context.Background()); err != nil {
		return nil, err
	}
	s := *g.shards.Load()
	sh := s[groupPartition(groupID, len(s))]
	switch {
	case !sh.loaded.Load():
		return nil, kerr.CoordinatorLoadInProgress
	case sh.broken != nil:
		return nil, kerr.CoordinatorNotAvailable
	}
	return sh, nil
}

// Available says whether the group's coordinator can be used: nil, or a kerr. One
// that is loading its groups is here all the same; it says so itself.
func (g *Groups) Available(groupID string) error {
	_, err := g.shard(groupID)
	if errors.Is(err, kerr.CoordinatorLoadInProgress) {
		return nil
	}
	return err
}

// Ready makes __consumer_offsets if it does not exist yet. An error is a kerr
// that clients of a group understand.
func (g *Groups) Ready(ctx context.Context) error {
	if g.shards.Load() != nil {
		return nil
	}
	g.create.Lock()
	defer g.create.Unlock()
	if g.shards.Load() != nil {
		return nil
	}
	s := g.opt.Catalog.Snapshot()
	err := g.opt.CreateTopic(ctx, OffsetsTopic, int32(s.Int("offsets.topic.num.partitions")), map[string]string{
		"cleanup.policy":   "compact",
		"compression.type": "producer",
		"segment.bytes":    strconv.FormatInt(s.Int("offsets.topic.segment.bytes"), 10),
	})
	if err != nil {
		g.opt.Logger.Error("the groups' topic cannot be made; clients are told to try again", "topic", OffsetsTopic, "err", err)
		return kerr.CoordinatorNotAvailable
	}
	t := g.opt.Catalog.Snapshot().Topic(OffsetsTopic)
	if t == nil {
		return kerr.CoordinatorNotAvailable // deleted in the same moment
	}
	g.load(t)
	return nil
}

// shardAt returns the machine of a partition; nil when there is none.
func (g *Groups) shardAt(partition int32) *groupShard {
	p := g.shards.Load()
	if p == nil || int(partition) >= len(*p) {
		return nil
	}
	return (*p)[partition]
}

// all returns the machines that work, none when the topic does not exist, and
// whether there are others that are still loading.
func (g *Groups) all() (s []*groupShard, loading bool) {
	p := g.shards.Load()
	if p == nil {
		return nil, false
	}
	for _, sh := range *p {
		switch {
		case !sh.loaded.Load():
			loading = true
		case sh.broken == nil:
			s = append(s, sh)
		}
	}
	return s, loading
}

// TopicDeleted forgets the offsets of a topic that was deleted: the catalogue has it
// no more.
func (g *Groups) TopicDeleted(name string, id kafka.UUID) {
	p := g.shards.Load()
	if p == nil {
		return
	}
	for _, sh := range *p {
		sh.stepLoaded(func() group.Event { return group.TopicGone{Topic: name, ID: id} })
	}
}

// groupPartition is Kafka's choice of a group's partition: Java's hashCode of
// the id, without the sign, modulo the number of partitions.
func groupPartition(groupID string, partitions int) int {
	var h int32
	for _, u := range utf16.Encode([]rune(groupID)) {
		h = 31*h + int32(u)
	}
	switch {
	case h == -1<<31:
		h = 0
	case h < 0:
		h = -h
	}
	return int(h) % partitions
}

// String names the shard in log lines.
func (s *groupShard) String() string { return fmt.Sprintf("%s-%d", OffsetsTopic, s.partition) }
