package broker

import (
	"iter"
	"slices"

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

// TopicsChanged shows a new catalogue, in which the topics called names (sorted) were
// made, deleted or have more partitions. The groups know of it before anybody else can:
// a member that has partitions of a topic from others than this broker (a classic
// group's leader) must not be the first to speak of it.
func (g *Groups) TopicsChanged(names []string, next *catalog.Snapshot, show func(*catalog.Snapshot)) {
	if len(names) == 0 {
		show(next)
		return
	}
	var loading []*groupShard
	for _, sh := range g.shards.all() {
		if !sh.stepLoaded(func() group.Event { return group.TopicsChanged{Now: groupTopics{next}, Names: names} }) {
			loading = append(loading, sh)
		}
	}
	show(next)
	for _, sh := range loading { // they may have been loaded with what there was before
		sh.stepLoaded(func() group.Event { return group.TopicsChanged{Now: g.topics(), Names: names} })
	}
}

// catchUp tells new shards of topics that were made while they could not be told.
func (g *Groups) catchUp(shards []*groupShard) {
	for _, sh := range shards {
		sh.stepLoaded(func() group.Event {
			now := g.topics()
			return group.TopicsChanged{Now: now, Names: slices.Collect(now.TopicNames())}
		})
	}
}
