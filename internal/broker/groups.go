package broker

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

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
	opt    GroupsOptions
	cfg    group.Config
	shards coordShards[*groupShard]
	loop   coordLoop[*groupShard]
}

// GroupsOptions are what Groups stands on.
type GroupsOptions struct {
	CoordOptions
	// Burial ends the places of a share group: see Shares.burial. Without it there are
	// none.
	Burial func(group string) (ops []plog.Op, done func(error), err error)
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
	g.loop.start(coordWork[*groupShard]{now: opt.Now, compare: byPartition[*groupShard], tick: (*groupShard).tick, settled: (*groupShard).settled})
	g.shards.start(&g.opt.CoordOptions, coordTopic[*groupShard]{
		name: OffsetsTopic, partitions: "offsets.topic.num.partitions",
		configs: func(s *catalog.Snapshot) map[string]string {
			return map[string]string{
				"cleanup.policy":   "compact",
				"compression.type": "producer",
				"segment.bytes":    strconv.FormatInt(s.Int("offsets.topic.segment.bytes"), 10),
			}
		},
		shard: g.newShard, read: g.sayRead, found: g.catchUp,
	})
	return g
}

// Close stops watching deadlines. Requests that still wait are not answered: the
// connections they came by are gone, or answer for themselves.
func (g *Groups) Close() {
	g.shards.stop()
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
	sh := g.shards.of(groupID)
	return sh, sh.usable()
}

// Available says whether the group's coordinator can be used: nil, or a kerr. One
// that is loading its groups is here all the same; it says so itself.
func (g *Groups) Available(groupID string) error {
	_, err := g.shard(groupID)
	return available(err)
}

// Ready makes __consumer_offsets if it does not exist yet. An error is a kerr
// that clients of a group understand.
func (g *Groups) Ready(ctx context.Context) error { return g.shards.ready(ctx) }

// shardAt returns the machine of a partition; nil when there is none.
func (g *Groups) shardAt(partition int32) *groupShard {
	all := g.shards.all()
	if int(partition) >= len(all) {
		return nil
	}
	return all[partition]
}

// sayRead tells what was found in the log.
func (g *Groups) sayRead(shards []*groupShard, took time.Duration) {
	var n group.Replayed
	for _, s := range shards {
		n.Offsets += s.met.Offsets
		n.Groups += s.met.Groups
		n.Tombstones += s.met.Tombstones
		n.Skipped += s.met.Skipped
	}
	g.opt.Logger.Info("groups loaded", "partitions", len(shards), "offsets", n.Offsets, "groups", n.Groups,
		"tombstones", n.Tombstones, "skipped", n.Skipped, "took", took)
}

// TopicDeleted forgets the offsets of a topic that was deleted: the catalogue has it
// no more.
func (g *Groups) TopicDeleted(name string, id kafka.UUID) {
	for _, sh := range g.shards.all() {
		sh.stepLoaded(func() group.Event { return group.TopicGone{Topic: name, ID: id} })
	}
}
