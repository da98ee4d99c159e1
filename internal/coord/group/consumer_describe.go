package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeConsumer shows one consumer group.
func (c *Coordinator) describeConsumer(e DescribeConsumer) {
	res := kmsg.NewConsumerGroupDescribeResponseGroup()
	res.Group = e.Group
	g, err := c.ofType(e.Group, consumerType)
	if err != nil {
		res.ErrorCode, res.ErrorMessage = faultOf(err)
	} else {
		cg := g.consumer()
		res.State = cg.stateName()
		res.Epoch, res.AssignmentEpoch = cg.epoch, cg.targetEpoch
		res.AssignorName = cg.assignor(c.cfg.ConsumerAssignors)
		for _, id := range cg.memberIDs() {
			res.Members = append(res.Members, cg.describe(c.topics, cg.members[id]))
		}
	}
	c.whenShown(g, c.replying(e.Token, res, func(err error) any {
		lost := kmsg.NewConsumerGroupDescribeResponseGroup()
		lost.Group, lost.ErrorCode = e.Group, codeOf(err)
		return lost
	}))
}

func (cg *consumerGroup) describe(topics Topics, m *consumerMember) kmsg.ConsumerGroupDescribeResponseGroupMember {
	d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
	d.MemberID, d.InstanceID, d.RackID = m.id, m.instance, m.rack
	d.MemberEpoch = m.epoch
	d.ClientID, d.ClientHost = m.clientID, m.clientHost
	d.SubscribedTopics = append([]string{}, m.topics...)
	d.SubscribedTopicRegex = &m.regex
	// What it has not given up yet is still its own to answer for.
	d.Assignment = describedPartitions(topics, sortedKeys(m.has()))
	d.TargetAssignment = describedPartitions(topics, slices.Clone(cg.target[m.id]))
	d.MemberType = 1
	if m.classic != nil {
		d.MemberType = 0
	}
	return d
}

// describedPartitions names the partitions; those of topics that are gone are left
// out.
func describedPartitions(topics Topics, ps []partition) kmsg.Assignment {
	a := kmsg.NewAssignment()
	a.TopicPartitions = []kmsg.AssignmentTopicPartition{}
	for topic, ps := range byTopic(ps) {
		name, ok := topics.TopicName(topic)
		if !ok {
			continue
		}
		t := kmsg.NewAssignmentTopicPartition()
		t.TopicID, t.Topic, t.Partitions = topic, name, indexes(ps)
		a.TopicPartitions = append(a.TopicPartitions, t)
	}
	return a
}
