package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// LogID is the id of the catalogue's log. No topic has it: they have
// version 4 ids only (kafka.DrawUUID).
var LogID = plog.ID{Topic: kafka.UUID{15: 1}}

// LogName is the name of its directory.
const LogName = "__leat_catalog"

// LogConfig is how the catalogue's log is kept.
func LogConfig() plog.Config {
	c := plog.DefaultConfig()
	c.Delete, c.Compact = false, true
	return c
}

// Topic is one topic. It does not change; a changed topic is another Topic.
type Topic struct {
	Name string
	ID   kafka.UUID
	// Partitions are numbered from 0.
	Partitions int32
	// Configs are the topic's own, as they were given.
	Configs map[string]string
	// View is what the configs mean.
	View *View
}

// Internal reports whether the topic is one of the broker's own state.
func (t *Topic) Internal() bool { return InternalTopic(t.Name) }

// Snapshot is the catalogue at one moment. Nothing in it may be changed.
type Snapshot struct {
	byName     *cowMap[string, *Topic]
	byID       *cowMap[kafka.UUID, *Topic]
	collisions *cowMap[string, string] // CollisionKey -> a topic's name

	nodeID                string
	static, cluster, node map[string]string            // broker configs
	groups                map[string]map[string]string // configs of groups, by id
	quotas                map[kafka.QuotaEntity]map[string]float64
	plain                 *View // of topics without configs of their own

	inOrder sync.Once
	topics  []*Topic
}

// Topic returns the topic of this name, nil when there is none.
func (s *Snapshot) Topic(name string) *Topic { return s.byName.get(name) }

// TopicByID returns the topic with this id, nil when there is none.
func (s *Snapshot) TopicByID(id kafka.UUID) *Topic { return s.byID.get(id) }

// NumTopics is how many topics there are.
func (s *Snapshot) NumTopics() int { return s.byName.size }

// Topics returns all topics in order of name. The slice is shared.
func (s *Snapshot) Topics() []*Topic {
	s.inOrder.Do(func() {
		s.topics = slices.SortedFunc(s.byName.values(), func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	})
	return s.topics
}

// CollidesWith returns the name of a topic that Kafka could not tell from name in
// its metric names, "" when there is none. A topic does not collide with itself.
func (s *Snapshot) CollidesWith(name string) string {
	if other := s.collisions.get(CollisionKey(name)); other != name {
		return other
	}
	return ""
}

// BrokerConfigs returns the dynamic configs of the node, or with "" those of the
// whole cluster; false when there is no such node.
func (s *Snapshot) BrokerConfigs(node string) (map[string]string, bool) {
	switch node {
	case "":
		return s.cluster, true
	case s.nodeID:
		return s.node, true
	}
	return nil, false
}

// Catalog is the catalogue. Snapshot may be called from any goroutine, the other
// methods by one at a time.
type Catalog struct {
	now atomic.Pointer[Snapshot]
}

// New returns an empty catalogue of the broker nodeID. static are the broker
// configs given at start, which are checked.
func New(nodeID int32, static map[string]string) (*Catalog, error) {
	for name, text := range sorted(static) {
		if err := checkStatic(name, text); err != nil {
			return nil, fmt.Errorf("broker config: %w", err)
		}
	}
	s := &Snapshot{
		nodeID: strconv.Itoa(int(nodeID)), static: map[string]string{},
		byName: newCowMap[string, *Topic](), byID: newCowMap[kafka.UUID, *Topic](), collisions: newCowMap[string, string](),
	}
	maps.Copy(s.static, static)
	s.static["node.id"] = s.nodeID
	s.review()
	c := &Catalog{}
	c.now.Store(s)
	return c, nil
}

// Snapshot returns the catalogue as it is now.
func (c *Catalog) Snapshot() *Snapshot { return c.now.Load() }

// Apply makes changes visible, all at once. The caller has made their records
// durable.
func (c *Catalog) Apply(changes ...Change) { c.Show(c.Next(changes...)) }

// Next is the catalogue as it will be with changes, for who has to know before others
// can see them.
func (c *Catalog) Next(changes ...Change) *Snapshot {
	s := c.Snapshot().clone()
	for _, ch := range changes {
		ch.apply(s)
	}
	return s
}

// Show makes what Next returned visible. There was no other change in between.
func (c *Catalog) Show(next *Snapshot) { c.now.Store(next) }

// Load applies the records of the catalogue's log, in order, at start: readAll is
// that log's ReadAll. An error means that the log is not this program's to read.
func (c *Catalog) Load(readAll func(func(kafka.Batch) error) error) error {
	s := c.Snapshot().clone()
	err := readAll(func(batch kafka.Batch) error {
		for rec, err := range batch.Records(maxRecord) {
			if err != nil {
				return fmt.Errorf("catalogue at offset %d: %w", batch.BaseOffset(), err)
			}
			ch, err := decode(rec.Key, rec.Value)
			if err != nil {
				return fmt.Errorf("catalogue at offset %d: %w", rec.Offset, err)
			}
			ch.apply(s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.now.Store(s)
	return nil
}

func (s *Snapshot) clone() *Snapshot {
	return &Snapshot{
		byName: s.byName.clone(), byID: s.byID.clone(), collisions: s.collisions.clone(),
		nodeID: s.nodeID, static: s.static, cluster: s.cluster, node: s.node, groups: s.groups, quotas: s.quotas, plain: s.plain,
	}
}

func (s *Snapshot) put(t *Topic) {
	s.drop(t.Name)
	t.View = s.viewOf(t.Configs)
	s.byName.set(t.Name, t)
	s.byID.set(t.ID, t)
	s.collisions.set(CollisionKey(t.Name), t.Name)
}

func (s *Snapshot) drop(name string) {
	if t := s.byName.get(name); t != nil {
		s.byName.remove(name)
		s.byID.remove(t.ID)
		s.collisions.remove(CollisionKey(name))
	}
}

func (s *Snapshot) viewOf(configs map[string]string) *View {
	if len(configs) == 0 {
		return s.plain
	}
	return s.View(configs)
}

// review computes every view anew, after a broker config has changed.
func (s *Snapshot) review() {
	s.plain = s.View(nil)
	for _, t := range s.Topics() {
		u := *t
		u.View = s.viewOf(t.Configs)
		s.byName.set(u.Name, &u)
		s.byID.set(u.ID, &u)
	}
	s.inOrder, s.topics = sync.Once{}, nil
}
