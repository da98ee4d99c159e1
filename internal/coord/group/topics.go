package group

import "iter"

// TopicID is a topic's id, which a topic that is made again under a name does not
// share with the one before.
type TopicID = [16]byte

// Topics is a picture of the topics that there are, which never changes. The newer
// group types assign partitions by it.
type Topics interface {
	// Topic looks a topic up by its name.
	Topic(name string) (id TopicID, partitions int32, ok bool)
	// TopicName is the name of the topic with this id.
	TopicName(id TopicID) (name string, ok bool)
	// TopicNames yields all names.
	TopicNames() iter.Seq[string]
}

// noTopics is the picture before there is one.
type noTopics struct{}

func (noTopics) Topic(string) (TopicID, int32, bool) { return TopicID{}, 0, false }
func (noTopics) TopicName(TopicID) (string, bool)    { return "", false }
func (noTopics) TopicNames() iter.Seq[string]        { return func(func(string) bool) {} }

// topicsChanged takes the new picture, and tells the groups that may care. Classic
// groups learn of topics from their members.
func (c *Coordinator) topicsChanged(e TopicsChanged) {
	c.topics = e.Now
	for _, g := range c.sortedGroups() {
		if g.modern != nil {
			g.modern.topicsChanged(c, e.Names)
		}
	}
}
