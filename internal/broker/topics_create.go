package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// maxNewPartitions bounds the partitions that one request may create, as in Kafka.
const maxNewPartitions = 10_000

// NewTopic asks for a topic.
type NewTopic struct {
	Name string
	// Partitions is how many; -1 means num.partitions.
	Partitions int32
	// ReplicationFactor is 1 or, for the default, -1: there is one broker.
	ReplicationFactor int16
	// Assignment are the brokers of each partition, by partition; with it the
	// other two must be -1.
	Assignment map[int32][]int32
	Configs    map[string]string
}

// Created is what became of a NewTopic. With an error there is no topic; errors
// are Refusals or kerrs.
type Created struct {
	Topic *catalog.Topic
	Err   error
}

// CreateTopics makes topics for a client, each for itself all or nothing. With
// validateOnly it only checks; the topics in its answer then have no id. What could be
// made is paid for with their partitions, made or not. Errors are Refusals or kerrs.
func (b *Broker) CreateTopics(ctx context.Context, asked []NewTopic, validateOnly bool, bill *Mutations) []Created {
	out := make([]Created, len(asked))
	var allowed []NewTopic
	var at []int
	for i := range asked {
		if catalog.InternalTopic(asked[i].Name) {
			out[i].Err = catalog.Refuse(kerr.InvalidTopicException, "Topic '%s' holds the broker's own state; it is made by the broker when it is first needed.", asked[i].Name)
			continue
		}
		allowed, at = append(allowed, asked[i]), append(at, i)
	}
	for k, c := range b.createTopics(ctx, allowed, validateOnly, bill) {
		out[at[k]] = c
	}
	return out
}

func (b *Broker) createTopics(ctx context.Context, asked []NewTopic, validateOnly bool, bill *Mutations) []Created {
	// A full disk takes no topics, either, but those of commits and transactions.
	if slices.ContainsFunc(asked, func(n NewTopic) bool { return !catalog.InternalTopic(n.Name) }) {
		release, err := b.Store.Admit(ctx, 0)
		if err != nil {
			return allFailed(len(asked), err)
		}
		defer release()
	}
	b.changing.Lock()
	defer b.changing.Unlock()
	s := b.Catalog.Snapshot()
	out := make([]Created, len(asked))
	var units []*unit
	var made []int // the index in asked of each unit
	claimed := map[string]bool{}
	var total int64
	for i := range asked {
		topic, err := b.plan(s, &asked[i], claimed)
		if err == nil {
			err = bill.pay(topic.Partitions)
		}
		if err != nil {
			out[i].Err = err
			continue
		}
		total += int64(topic.Partitions)
		claimed[catalog.CollisionKey(topic.Name)] = true
		out[i].Topic = topic
		if validateOnly {
			continue
		}
		topic.ID = kafka.DrawUUID(sched.Random)
		u := &unit{change: catalog.PutTopic(topic.Name, topic.ID, topic.Partitions, topic.Configs)}
		for p := range topic.Partitions {
			u.ops = append(u.ops, plog.Create(plog.ID{Topic: topic.ID, Partition: p}, topic.Name, topic.View.Log))
		}
		units, made = append(units, u), append(made, i)
	}
	if total > maxNewPartitions {
		return allFailed(len(asked), catalog.Refuse(kerr.PolicyViolation, "Excessively large number of partitions per request."))
	}
	errs := b.commit(units)
	for k, u := range units {
		if errs[k] != nil {
			out[made[k]] = Created{Err: errs[k]}
		} else {
			b.addTopic(out[made[k]].Topic, u.logs)
		}
	}
	b.show(units, errs)
	return out
}

func allFailed(n int, err error) []Created {
	return slices.Repeat([]Created{{Err: err}}, n)
}

// plan checks what is asked for and fills in the defaults. claimed are the
// collision keys of the topics that the same request has asked for before.
func (b *Broker) plan(s *catalog.Snapshot, n *NewTopic, claimed map[string]bool) (*catalog.Topic, error) {
	if err := catalog.CheckTopicName(n.Name); err != nil {
		return nil, err
	}
	if s.Topic(n.Name) != nil {
		return nil, catalog.Refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", n.Name)
	}
	if other := s.CollidesWith(n.Name); other != "" {
		return nil, catalog.Refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", n.Name, other)
	}
	if claimed[catalog.CollisionKey(n.Name)] {
		return nil, catalog.Refuse(kerr.InvalidTopicException, "Topic '%s' collides with another topic of the same request.", n.Name)
	}
	if err := s.CheckTopicConfigs(n.Configs); err != nil {
		return nil, err
	}
	partitions, err := b.planPartitions(s, n)
	if err != nil {
		return nil, err
	}
	return &catalog.Topic{Name: n.Name, Partitions: partitions, Configs: n.Configs, View: s.View(n.Configs)}, nil
}

func (b *Broker) planPartitions(s *catalog.Snapshot, n *NewTopic) (int32, error) {
	if n.Assignment != nil {
		if n.ReplicationFactor != -1 {
			return 0, catalog.Refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
		}
		if n.Partitions != -1 {
			return 0, catalog.Refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
		}
		for p := range int32(len(n.Assignment)) {
			brokers, ok := n.Assignment[p]
			if !ok {
				return 0, catalog.Refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
			}
			if err := b.checkAssignment(brokers); err != nil {
				return 0, err
			}
		}
		return int32(len(n.Assignment)), nil
	}
	switch {
	case n.ReplicationFactor != -1 && n.ReplicationFactor < 1:
		return 0, catalog.Refuse(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case n.Partitions != -1 && n.Partitions < 1:
		return 0, catalog.Refuse(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case n.ReplicationFactor > 1:
		return 0, catalog.Refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): there is 1 broker, and it does not replicate; use 1 or -1.", n.ReplicationFactor)
	case n.Partitions == -1:
		return int32(s.Int("num.partitions")), nil
	}
	return n.Partitions, nil
}

// checkAssignment checks the brokers that one partition is assigned to.
func (b *Broker) checkAssignment(brokers []int32) error {
	if len(brokers) == 0 {
		return catalog.Refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	for i, id := range brokers {
		if id != b.NodeID {
			return catalog.Refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 {
			return catalog.Refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	return nil
}

// EnsureTopic makes a topic of the broker's own if it does not exist, and returns when
// it can be used.
func (b *Broker) EnsureTopic(ctx context.Context, name string, partitions int32, configs map[string]string) error {
	if b.Catalog.Snapshot().Topic(name) != nil {
		return nil
	}
	c := b.createTopics(ctx, []NewTopic{{Name: name, Partitions: partitions, ReplicationFactor: -1, Configs: configs}}, false, nil)[0]
	if b.Catalog.Snapshot().Topic(name) != nil {
		return nil // somebody else made it meanwhile
	}
	return c.Err
}

// AutoCreate makes the topics among names that do not exist, with the broker's
// defaults, as Metadata does for clients that name them. It returns why one could
// not be made, by name; topics that exist, whoever made them, are no error. The
// topics of the broker's own state are not made for clients.
func (b *Broker) AutoCreate(ctx context.Context, names []string, bill *Mutations) map[string]error {
	var asked []NewTopic
	errs := map[string]error{}
	for _, name := range names {
		if catalog.InternalTopic(name) {
			errs[name] = kerr.UnknownTopicOrPartition
			continue
		}
		asked = append(asked, NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1})
	}
	if len(asked) == 0 {
		return errs
	}
	created := b.createTopics(ctx, asked, false, bill)
	s := b.Catalog.Snapshot()
	for i, c := range created {
		if name := asked[i].Name; c.Err != nil && s.Topic(name) == nil {
			errs[name] = c.Err
		}
	}
	return errs
}
