package main

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// consumerGroup describes a group of the consumer protocol (KIP-848), which is not
// there for the requests of the classic one; false when there is none of that name, or
// the cluster is too old to have any.
func consumerGroup(ctx context.Context, adm *kadm.Client, group string) (kadm.DescribedConsumerGroup, bool) {
	described, err := adm.DescribeConsumerGroups(ctx, group)
	if err != nil {
		return kadm.DescribedConsumerGroup{}, false
	}
	g, ok := described[group]
	return g, ok && g.Err == nil
}

// fillConsumer is fill for a group of the consumer protocol.
func (d *groupDescription) fillConsumer(ctx context.Context, adm *kadm.Client, g kadm.DescribedConsumerGroup) error {
	d.Type = consumerType
	d.State, d.Protocol, d.Coordinator = g.State, g.AssignorName, g.Coordinator.NodeID
	owner := map[string]map[int32]string{}
	for _, m := range g.Members {
		line := memberLine{Member: m.MemberID, Client: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			line.Instance = *m.InstanceID
		}
		d.Members = append(d.Members, line)
		m.Assignment.Each(func(topic string, p int32) {
			if owner[topic] == nil {
				owner[topic] = map[int32]string{}
			}
			owner[topic][p] = m.MemberID
		})
	}
	fetched := adm.FetchManyOffsets(ctx, g.Group)[g.Group]
	if fetched.Err != nil {
		return fetched.Err
	}
	committed := fetched.Fetched
	read := g.AssignedPartitions()
	read.Merge(committed.Partitions())
	delete(read, "") // some brokers do not name the topics of an assignment
	topics := read.Topics()
	if len(topics) == 0 {
		return nil
	}
	slices.Sort(topics)
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	for _, p := range read.Sorted() {
		for _, n := range p.Partitions {
			d.addLag(p.Topic, n, committed, starts, ends, owner[p.Topic][n])
		}
	}
	sortPlaces(d.Partitions, func(l groupLagLine) (string, int32) { return l.Topic, l.Partition })
	return nil
}

func (d *groupDescription) addLag(topic string, p int32, committed kadm.OffsetResponses, starts, ends kadm.ListedOffsets, member string) {
	line := groupLagLine{Topic: topic, Partition: p, Committed: -1, Member: member}
	start, _ := starts.Lookup(topic, p)
	end, ok := ends.Lookup(topic, p)
	if !ok || end.Err != nil {
		line.Error = "its end is not known"
		if end.Err != nil {
			line.Error = end.Err.Error()
		}
		d.Partitions = append(d.Partitions, line)
		return
	}
	line.Start, line.End = start.Offset, end.Offset
	from := line.Start
	if o, ok := committed.Lookup(topic, p); ok && o.Err == nil && o.At >= 0 {
		line.Committed, from = o.At, o.At
	}
	line.Lag = max(line.End-from, 0)
	d.Lag += line.Lag
	d.Partitions = append(d.Partitions, line)
}
