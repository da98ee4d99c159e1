package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// Config says how to open a broker. FS and Dir must be set.
type Config struct {
	FS vfs.FS
	// Dir is the data directory.
	Dir string
	// NodeID is node.id; 0 = 1.
	NodeID int32
	// Static are broker configs given at start, under Kafka's names.
	Static map[string]string
	// Relaxed leaves out every fsync: an ack then means nothing after a loss of
	// power. For tests.
	Relaxed bool
	// Store tunes the store; its FS, Dir, Salt, Epoch, Relaxed, Logger and Now
	// are set here.
	Store plog.Options
	Now   func() time.Time
	Log   *slog.Logger
}

// Broker is one node that is the whole cluster.
type Broker struct {
	NodeID    int32
	ClusterID string
	// Epoch is the leader epoch of all partitions: the number of this start.
	Epoch   int32
	Store   *plog.Store
	Catalog *catalog.Catalog
	// Groups is the coordinator of consumer groups.
	Groups *Groups
	// Txns is the coordinator of transactions.
	Txns *Txns
	// Shares is what share groups have of the partitions.
	Shares *Shares
	// Quotas is what clients may use.
	Quotas *Quotas
	Log    *slog.Logger
	// Recovery tells what the start found.
	Recovery *plog.Report

	fs   vfs.FS
	dir  string
	now  func() time.Time
	lock io.Closer
	ids  atomic.Uint32 // producer ids given out in this life
	// scrubbed counts the bytes that were read back.
	scrubbed atomic.Int64
	catalog  *plog.Log

	// changing is held by whoever changes the catalogue, from the check to the
	// moment the change is visible.
	changing sched.Mutex

	mu     sched.RWMutex // guards topics and byID
	topics map[string]*topic
	byID   map[kafka.UUID]*topic
	// version counts the changes of topics and byID, each when it is done.
	version atomic.Uint64

	stop context.CancelFunc
	work sched.WaitGroup
}

// topic is a topic's partitions. It lives as long as the topic's id.
type topic struct {
	name  string
	id    kafka.UUID
	view  atomic.Pointer[catalog.View]
	parts atomic.Pointer[[]*Partition]
}

// Partition is one partition of a topic.
type Partition struct {
	Index int32
	Log   *plog.Log

	topic *topic
	wait  waitlist
}

// Topic returns the topic's name.
func (p *Partition) Topic() string { return p.topic.name }

// TopicID returns the topic's id.
func (p *Partition) TopicID() kafka.UUID { return p.topic.id }

// View returns what the topic's configs mean now.
func (p *Partition) View() *catalog.View { return p.topic.view.Load() }

// Open opens the broker in its data directory, recovering what a crash has left.
func Open(cfg Config) (_ *Broker, err error) {
	if cfg.NodeID == 0 {
		cfg.NodeID = 1
	}
	if cfg.Now == nil {
		cfg.Now = sched.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// Before the start counts: one that is refused for a typing error leaves the mark of
	// a clean stop to the next.
	configs, err := catalog.New(cfg.NodeID, cfg.Static)
	if err != nil {
		return nil, err
	}
	m, lock, err := openDir(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		Catalog: configs,
		NodeID:  cfg.NodeID, ClusterID: m.ClusterID, Epoch: m.Boots, Log: cfg.Log, fs: cfg.FS, dir: cfg.Dir, now: cfg.Now, lock: lock,
		topics: map[string]*topic{}, byID: map[kafka.UUID]*topic{},
	}
	defer func() {
		if err != nil {
			if b.Store != nil {
				b.Store.Abandon()
			}
			err = errors.Join(err, lock.Close())
		}
	}()
	opt := cfg.Store
	opt.FS, opt.Dir, opt.Salt, opt.Epoch = cfg.FS, cfg.Dir, m.Salt, m.Boots
	opt.Relaxed, opt.Logger, opt.Now = cfg.Relaxed, cfg.Log, cfg.Now
	if opt.ProducerExpiry == 0 {
		opt.ProducerExpiry = b.Catalog.Snapshot().Millis("producer.id.expiration.ms")
	}
	if b.Store, b.Recovery, err = plog.Open(opt); err != nil {
		return nil, err
	}
	b.sayFenced()
	if err := b.loadCatalog(); err != nil {
		return nil, err
	}
	common := CoordOptions{Store: b.Store, Catalog: b.Catalog, CreateTopic: b.EnsureTopic, Logger: cfg.Log, Now: cfg.Now}
	b.Groups = NewGroups(GroupsOptions{
		CoordOptions: common,
		Burial:       func(group string) ([]plog.Op, func(error), error) { return b.Shares.burial(group) },
	})
	b.Shares = newShares(b, common)
	b.Txns = NewTxns(TxnsOptions{CoordOptions: common, Groups: b.Groups, Epoch: b.Epoch, Partition: b.Partition, NewProducerID: b.NextProducerID})
	ctx, stop := sched.WithCancel(context.Background())
	b.stop = stop
	b.work.Go(func() { b.retain(ctx) })
	b.work.Go(func() { b.scrub(ctx) })
	if b.Catalog.Snapshot().Bool("log.cleaner.enable") {
		b.work.Go(func() { b.clean(ctx) })
	}
	return b, nil
}

// loadCatalog replays the catalogue and connects its topics with their logs.
func (b *Broker) loadCatalog() error {
	b.catalog = b.Store.Log(catalog.LogID)
	if b.catalog == nil {
		rs, pos, err := b.Store.Submit(plog.Create(catalog.LogID, catalog.LogName, catalog.LogConfig()))
		if err != nil {
			return err
		}
		if err := b.Store.Wait(context.Background(), pos); err != nil {
			return err
		}
		b.catalog = rs[0].Log
	}
	b.catalog.SetConfig(catalog.LogConfig())
	if err := b.catalog.Fenced(); err != nil {
		return fmt.Errorf("the catalogue of topics is damaged: %w; see what can be done with `leat doctor %s`", err, b.dir)
	}
	if err := b.Catalog.Load(b.catalog.ReadAll); err != nil {
		return err
	}
	b.Quotas = newQuotas(b.Catalog.Snapshot(), b.now)
	for _, t := range b.Catalog.Snapshot().Topics() {
		logs := make([]*plog.Log, t.Partitions)
		for i := range logs {
			id := plog.ID{Topic: t.ID, Partition: int32(i)}
			if logs[i] = b.Store.Log(id); logs[i] == nil {
				return fmt.Errorf("topic %s: the log of partition %d (%s) is missing", t.Name, i, id)
			}
		}
		b.addTopic(t, logs)
	}
	return nil
}

// addTopic makes a topic of the catalogue known with its logs, or more
// partitions of one that is known.
func (b *Broker) addTopic(t *catalog.Topic, logs []*plog.Log) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tp := b.byID[t.ID]
	if tp == nil {
		tp = &topic{name: t.Name, id: t.ID}
		tp.parts.Store(new([]*Partition))
		b.topics[t.Name], b.byID[t.ID] = tp, tp
	}
	tp.view.Store(t.View)
	parts := append([]*Partition(nil), *tp.parts.Load()...)
	for _, l := range logs {
		l.SetConfig(t.View.Log)
		p := &Partition{Index: int32(len(parts)), Log: l, topic: tp}
		l.Watch(p.wait.wake)
		parts = append(parts, p)
	}
	tp.parts.Store(&parts)
	b.version.Add(1)
}

// TopicsVersion changes with what Partition and PartitionByID return: while it is the
// same, so are they.
func (b *Broker) TopicsVersion() uint64 { return b.version.Load() }

// dropTopic forgets a topic that the catalogue no longer has, and wakes who waits
// for it: the wake-up by the log came when the topic could still be found.
func (b *Broker) dropTopic(id kafka.UUID) {
	b.mu.Lock()
	t := b.byID[id]
	if t != nil {
		delete(b.byID, id)
		delete(b.topics, t.name)
	}
	b.version.Add(1)
	b.mu.Unlock()
	if t == nil {
		return
	}
	for _, p := range *t.parts.Load() {
		p.wait.wake()
	}
}

// applyConfigs hands what the catalogue says about configs to the topics' logs.
func (b *Broker) applyConfigs() {
	for _, t := range b.Catalog.Snapshot().Topics() {
		b.mu.RLock()
		tp := b.byID[t.ID]
		b.mu.RUnlock()
		if tp == nil || tp.view.Load() == t.View {
			continue
		}
		tp.view.Store(t.View)
		for _, p := range *tp.parts.Load() {
			p.Log.SetConfig(t.View.Log)
		}
	}
}

// Partition returns a partition by the topic's name; nil when there is none.
func (b *Broker) Partition(name string, index int32) *Partition {
	b.mu.RLock()
	t := b.topics[name]
	b.mu.RUnlock()
	return t.partition(index)
}

// PartitionByID returns a partition by the topic's id; nil when there is none.
func (b *Broker) PartitionByID(id kafka.UUID, index int32) *Partition {
	b.mu.RLock()
	t := b.byID[id]
	b.mu.RUnlock()
	return t.partition(index)
}

func (t *topic) partition(index int32) *Partition {
	if t == nil {
		return nil
	}
	parts := *t.parts.Load()
	if index < 0 || int(index) >= len(parts) {
		return nil
	}
	return parts[index]
}

// DataDir returns the data directory, and the bytes that can still be written
// there, -1 when that cannot be told.
func (b *Broker) DataDir() (dir string, free int64) {
	free, err := b.fs.Free(b.dir)
	if err != nil {
		free = -1
	}
	return b.dir, free
}

// CatalogEnd returns the durable end of the catalogue's log, which only grows.
func (b *Broker) CatalogEnd() int64 { return b.catalog.HighWatermark() }

// Now returns the broker's wall clock.
func (b *Broker) Now() time.Time { return b.now() }

// Close stops the broker's work, moves everything into segments and lets go of
// the data directory. No request may be under way.
func (b *Broker) Close() error {
	b.halt()
	return errors.Join(b.Store.Close(), b.lock.Close())
}

// Abandon ends the broker as a crash would: nothing more is written. For tests.
func (b *Broker) Abandon() {
	b.halt()
	b.Store.Abandon()
	b.lock.Close()
}

func (b *Broker) halt() {
	b.stop()
	b.work.Wait()
	b.Shares.close()
	b.Txns.Close()
	b.Groups.Close()
}
