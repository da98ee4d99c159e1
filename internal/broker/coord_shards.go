package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// CoordOptions are what every coordinator stands on. All but LoadAtOnce are needed.
type CoordOptions struct {
	Store   *plog.Store
	Catalog *catalog.Catalog
	// CreateTopic makes a topic of the broker's own; it returns when the topic
	// can be used, and without error when it was there.
	CreateTopic func(ctx context.Context, name string, partitions int32, configs map[string]string) error
	Logger      *slog.Logger
	Now         func() time.Time
	// LoadAtOnce is how many bytes of the coordinator's log are read before it is there;
	// more of them are read in the background. 0 = 256 KiB, which takes less time than a
	// client needs to connect; negative = none.
	LoadAtOnce int64
}

// loadAtOnce is the default of CoordOptions.LoadAtOnce.
const loadAtOnce = 256 << 10

// loaders is how many partitions of a coordinator's topic are read at the same time.
const loaders = 4

// coordShards are the shards of a coordinator: one for each partition of the topic that
// it keeps its state in, which is made when it is needed first.
type coordShards[S coordShard] struct {
	opt   *CoordOptions
	topic coordTopic[S]

	list   atomic.Pointer[[]S] // by partition; nil until the topic exists
	create sched.Mutex         // held while the topic is made

	ctx    context.Context // of the reading in the background
	cancel context.CancelFunc
	loads  sched.WaitGroup
}

// coordShard is one machine, or several, with the lock and the log (a coordLog) around.
type coordShard interface {
	// usable is nil, or the kerr for who asks for the shard.
	usable() error
	// load reads the log and begins the service, unless ctx ends before.
	load(ctx context.Context)
}

// coordTopic says what the topic and the shards of a coordinator are.
type coordTopic[S coordShard] struct {
	name string
	// partitions is the config with their number; configs are the topic's.
	partitions string
	configs    func(*catalog.Snapshot) map[string]string
	// shard makes the shard of a partition, which knows nothing yet.
	shard func(*catalog.Topic, *coordLog) S
	// read is told when all shards have been read, and how long that took.
	read func(shards []S, took time.Duration)
	// found, which may be nil, is told of shards that were read before anybody could
	// find them.
	found func(shards []S)
}

// start makes the shards of the topic if it exists; see load.
func (c *coordShards[S]) start(opt *CoordOptions, topic coordTopic[S]) {
	c.opt, c.topic = opt, topic
	c.ctx, c.cancel = sched.WithCancel(context.Background())
	if t := opt.Catalog.Snapshot().Topic(topic.name); t != nil {
		c.load(t)
	}
}

// stop ends the reading; what is not read to its end does not become usable.
func (c *coordShards[S]) stop() {
	c.cancel()
	c.loads.Wait()
}

// ready makes the topic if it does not exist yet. An error is a kerr that clients
// understand.
func (c *coordShards[S]) ready(ctx context.Context) error {
	if c.list.Load() != nil {
		return nil
	}
	c.create.Lock()
	defer c.create.Unlock()
	if c.list.Load() != nil {
		return nil
	}
	s := c.opt.Catalog.Snapshot()
	if err := c.opt.CreateTopic(ctx, c.topic.name, int32(s.Int(c.topic.partitions)), c.topic.configs(s)); err != nil {
		c.opt.Logger.Error("the topic of a coordinator cannot be made; clients are told to try again", "topic", c.topic.name, "err", err)
		return kerr.CoordinatorNotAvailable
	}
	t := c.opt.Catalog.Snapshot().Topic(c.topic.name)
	if t == nil {
		return kerr.CoordinatorNotAvailable // deleted in the same moment
	}
	c.load(t)
	return nil
}

// load makes the shards of the topic, which exists, and has them read their logs: before
// they can be found when the logs are short, else in the background.
func (c *coordShards[S]) load(t *catalog.Topic) {
	began := sched.Now()
	shards := make([]S, t.Partitions)
	var size int64
	for p := range shards {
		l := &coordLog{opt: c.opt, topic: t.Name, partition: int32(p), log: c.opt.Store.Log(plog.ID{Topic: t.ID, Partition: int32(p)})}
		if l.log != nil {
			size += l.log.Size()
		}
		shards[p] = c.topic.shard(t, l)
	}
	limit := c.opt.LoadAtOnce
	if limit == 0 {
		limit = loadAtOnce
	}
	if size <= limit {
		for _, s := range shards {
			s.load(c.ctx)
		}
		c.topic.read(shards, sched.Now().Sub(began))
		c.list.Store(&shards)
		if c.topic.found != nil {
			c.topic.found(shards)
		}
		return
	}
	c.list.Store(&shards)
	var next, done atomic.Int32
	for range loaders {
		c.loads.Go(func() {
			for p := next.Add(1) - 1; int(p) < len(shards); p = next.Add(1) - 1 {
				if shards[p].load(c.ctx); c.ctx.Err() != nil {
					return
				}
				if int(done.Add(1)) == len(shards) {
					c.topic.read(shards, sched.Now().Sub(began))
				}
			}
		})
	}
}

// all are the shards by partition, none while the topic does not exist.
func (c *coordShards[S]) all() []S {
	if p := c.list.Load(); p != nil {
		return *p
	}
	return nil
}

// of is the shard of a key, of those there are.
func (c *coordShards[S]) of(key string) S {
	all := c.all()
	return all[keyPartition(key, len(all))]
}

// working are the shards that can be used; loading says whether there are others that
// are still being read.
func (c *coordShards[S]) working() (s []S, loading bool) {
	for _, sh := range c.all() {
		switch sh.usable() {
		case nil:
			s = append(s, sh)
		case kerr.CoordinatorLoadInProgress:
			loading = true
		}
	}
	return s, loading
}

// keyPartition is Kafka's choice of a key's partition, the same for all coordinators:
// Java's hashCode of the key, without the sign, modulo the number of partitions.
func keyPartition(key string, partitions int) int {
	var h int32
	for _, u := range utf16.Encode([]rune(key)) {
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
