package broker

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
)

func existing(s *catalog.Snapshot, name string) (*catalog.Topic, error) {
	if err := catalog.CheckTopicName(name); err != nil {
		return nil, err
	}
	topic := s.Topic(name)
	if topic == nil {
		return nil, catalog.Refuse(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", name)
	}
	return topic, nil
}

// ownState refuses what would lose the broker's own state.
func ownState(topic *catalog.Topic) error {
	if topic.Internal() {
		return catalog.Refuse(kerr.InvalidTopicException, "Topic '%s' holds the broker's own state; it is made and kept by the broker alone.", topic.Name)
	}
	return nil
}

// keepsState refuses configs with which the broker's own state would be lost.
func keepsState(topic *catalog.Topic, configs map[string]string) error {
	keeps := []string{"cleanup.policy"}
	if topic.Name == catalog.ShareStateTopic { // it is not compacted: only this keeps it
		keeps = append(keeps, "retention.ms", "retention.bytes")
	}
	for _, name := range keeps {
		if topic.Internal() && configs[name] != topic.Configs[name] {
			return catalog.Refuse(kerr.InvalidConfig, "%s of '%s' cannot be changed: it holds the broker's own state, which another policy would lose.", name, topic.Name)
		}
	}
	return nil
}

// DeleteTopics deletes topics with all they hold, each for itself all or nothing. The
// topics are from a snapshot; one that was deleted or made again since answers
// UNKNOWN_TOPIC_OR_PARTITION. What can be deleted is paid for with its partitions.
func (b *Broker) DeleteTopics(topics []*catalog.Topic, bill *Mutations) []error {
	b.changing.Lock()
	defer b.changing.Unlock()
	s := b.Catalog.Snapshot()
	out := make([]error, len(topics))
	var units []*unit
	var at []int
	for i, topic := range topics {
		now := s.Topic(topic.Name)
		switch {
		case now == nil || now.ID != topic.ID || slices.ContainsFunc(topics[:i], func(o *catalog.Topic) bool { return o.ID == topic.ID }):
			out[i] = kerr.UnknownTopicOrPartition
			continue
		case topic.Internal():
			out[i] = ownState(topic)
			continue
		case !s.Bool("delete.topic.enable"):
			out[i] = catalog.Refuse(kerr.TopicDeletionDisabled, "delete.topic.enable is false.")
			continue
		}
		if out[i] = bill.pay(now.Partitions); out[i] != nil {
			continue
		}
		u := &unit{change: catalog.DropTopic(topic.Name)}
		for p := range now.Partitions {
			u.ops = append(u.ops, plog.Delete(b.Store.Log(plog.ID{Topic: now.ID, Partition: p})))
		}
		units, at = append(units, u), append(at, i)
	}
	errs := b.commit(units)
	b.show(units, errs)
	for k, err := range errs {
		if out[at[k]] = err; err == nil {
			b.dropTopic(topics[at[k]].ID)
			b.Groups.TopicDeleted(topics[at[k]].Name, topics[at[k]].ID)
			b.Txns.topicDeleted(topics[at[k]].Name)
			b.Shares.topicDeleted(topics[at[k]].ID)
		}
	}
	return out
}

// MorePartitions asks for a topic to have Count partitions in all. Assignment, if
// it is not nil, has the brokers of each new one.
type MorePartitions struct {
	Topic      string
	Count      int32
	Assignment [][]int32
}

// CreatePartitions makes topics larger, each for itself all or nothing. With
// validateOnly it only checks. Records stay where they are: from then on a key
// may go to another partition than before. What could be made is paid for, made or not.
func (b *Broker) CreatePartitions(ctx context.Context, asked []MorePartitions, validateOnly bool, bill *Mutations) []error {
	release, err := b.Store.Admit(ctx, 0)
	if err != nil {
		return slices.Repeat([]error{err}, len(asked))
	}
	defer release()
	b.changing.Lock()
	defer b.changing.Unlock()
	s := b.Catalog.Snapshot()
	out := make([]error, len(asked))
	var units []*unit
	var at []int
	for i := range asked {
		topic := s.Topic(asked[i].Topic)
		if topic == nil {
			out[i] = kerr.UnknownTopicOrPartition
			continue
		}
		if out[i] = b.checkMore(topic, &asked[i]); out[i] == nil {
			out[i] = bill.pay(asked[i].Count - topic.Partitions)
		}
		if out[i] != nil || validateOnly {
			continue
		}
		u := &unit{change: catalog.PutTopic(topic.Name, topic.ID, asked[i].Count, maps.Clone(topic.Configs))}
		for p := topic.Partitions; p < asked[i].Count; p++ {
			u.ops = append(u.ops, plog.Create(plog.ID{Topic: topic.ID, Partition: p}, topic.Name, topic.View.Log))
		}
		units, at = append(units, u), append(at, i)
	}
	errs := b.commit(units)
	for k, err := range errs {
		if out[at[k]] = err; err == nil {
			b.addTopic(s.Topic(asked[at[k]].Topic), units[k].logs)
		}
	}
	b.show(units, errs)
	return out
}

func (b *Broker) checkMore(topic *catalog.Topic, m *MorePartitions) error {
	if err := ownState(topic); err != nil {
		return err
	}
	switch {
	case m.Count == topic.Partitions:
		return catalog.Refuse(kerr.InvalidPartitions, "Topic already has %d partition(s).", topic.Partitions)
	case m.Count < topic.Partitions:
		return catalog.Refuse(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", topic.Name, topic.Partitions, m.Count)
	case m.Count-topic.Partitions > maxNewPartitions:
		return catalog.Refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	if m.Assignment == nil {
		return nil
	}
	if more := int(m.Count - topic.Partitions); len(m.Assignment) != more {
		return catalog.Refuse(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", more, len(m.Assignment))
	}
	for _, brokers := range m.Assignment {
		if err := b.checkAssignment(brokers); err != nil {
			return err
		}
	}
	return nil
}
