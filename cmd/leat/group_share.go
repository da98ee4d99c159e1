package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// shareGroup describes a share group (KIP-932), which is not there for the requests of
// other types; false when there is none of that name, or the cluster is too old to have
// any.
func shareGroup(ctx context.Context, adm *kadm.Client, group string) (kadm.DescribedShareGroup, bool) {
	described, err := adm.DescribeShareGroups(ctx, group)
	if err != nil {
		return kadm.DescribedShareGroup{}, false
	}
	g, ok := described[group]
	return g, ok && g.Err == nil
}

// fillShare is fill for a share group. What it has committed is where unfinished
// records begin; its lag is the broker's count of these. Members share partitions, so
// none is told as the one that has it.
func (d *groupDescription) fillShare(ctx context.Context, adm *kadm.Client, g kadm.DescribedShareGroup) error {
	d.Type = shareType
	d.State, d.Protocol, d.Coordinator = g.GroupState, g.Assignor, g.Coordinator.NodeID
	for _, m := range g.Members {
		d.Members = append(d.Members, memberLine{Member: m.MemberID, Client: m.ClientID, Host: m.ClientHost})
	}
	described, err := adm.DescribeShareGroupOffsets(ctx, g.GroupID)
	if err != nil {
		return err
	}
	places := described[g.GroupID]
	if places.Err != nil {
		return places.Err
	}
	var topics []string
	for topic := range places.Offsets {
		topics = append(topics, topic)
	}
	if len(topics) == 0 {
		return nil
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	for _, p := range places.Offsets.Sorted() {
		line := groupLagLine{Topic: p.Topic, Partition: p.Partition, Committed: p.StartOffset}
		start, _ := starts.Lookup(p.Topic, p.Partition)
		end, _ := ends.Lookup(p.Topic, p.Partition)
		line.Start, line.End, line.Lag = start.Offset, end.Offset, max(0, p.Lag)
		if p.Err != nil {
			line.Error = p.Err.Error()
		}
		d.Lag += line.Lag
		d.Partitions = append(d.Partitions, line)
	}
	return nil
}
