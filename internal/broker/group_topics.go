package broker

import (
	"iter"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
)

// groupTopics is a snapshot of the catalogue as the groups see it.
type groupTopics struct{ *catalog.Snapshot }

func (t groupTopics) Topic(name string) (id group.TopicID, partitions int32, ok bool) {
	topic := t.Snapshot.Topic(name)
	if topic == nil {
		return id, 0, false
	}
	return topic.ID, topic.Partitions, true
}

func (t groupTopics) TopicName(id group.TopicID) (string, bool) {
	topic := t.TopicByID(id)
	if topic == nil {
		return "", false
	}
	return topic.Name, true
}

func (t groupTopics) TopicNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, topic := range t.Topics() {
			if !yield(topic.Name) {
				return
			}
		}
	}
}

// topics is what there is now.
func (g *Groups) topics() groupTopics { return groupTopics{g.opt.Catalog.Snapshot()} }

// TopicsChanged tells the groups of topics that were made, deleted or have more
// partitions: the catalogue shows it. names is sorted.
func (g *Groups) TopicsChanged(names []string) {
	p := g.shards.Load()
	if p == nil {
		return
	}
	for _, sh := range *p {
		sh.stepLoaded(func() group.Event { return group.TopicsChanged{Now: g.topics(), Names: names} })
	}
}
