package group

import (
	"iter"
	"maps"
	"slices"
)

// testTopics are the topics of a test, by name.
type testTopics map[string]testTopic

type testTopic struct {
	id         TopicID
	partitions int32
}

func (t testTopics) Topic(name string) (TopicID, int32, bool) {
	topic, ok := t[name]
	return topic.id, topic.partitions, ok
}

func (t testTopics) TopicName(id TopicID) (string, bool) {
	for name, topic := range t {
		if topic.id == id {
			return name, true
		}
	}
	return "", false
}

func (t testTopics) TopicNames() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(t)))
}
