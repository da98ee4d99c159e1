package kfake

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// GroupInfo is a group as a client can see it.
type GroupInfo struct {
	Group   string
	State   string // Empty, Stable, ...
	Epoch   int32  // of a KIP-848 group; 0 for a classic one, whose generation no client is told
	Members []GroupMember
	Commits map[string]map[int32]GroupCommit
}

// GroupCommit is a committed offset.
type GroupCommit struct {
	Offset      int64
	LeaderEpoch int32
	Metadata    string
}

// GroupMember is a member of a group.
type GroupMember struct {
	MemberID         string
	InstanceID       *string
	ClientID         string
	ClientHost       string
	SubscribedTopics []string
	Assignment       map[string][]int32
}

// NumAssigned is how many partitions the member has.
func (m *GroupMember) NumAssigned() (n int) {
	for _, ps := range m.Assignment {
		n += len(ps)
	}
	return n
}

// NumAssigned is how many partitions the members have.
func (g *GroupInfo) NumAssigned() (n int) {
	for i := range g.Members {
		n += g.Members[i].NumAssigned()
	}
	return n
}

// GroupInfo describes a group, KIP-848 or classic; nil if there is none.
func (c *Cluster) GroupInfo(group string) *GroupInfo {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	info := c.consumerGroup(ctx, group)
	if info == nil {
		info = c.classicGroup(ctx, group)
	}
	if info == nil {
		return nil
	}
	if offsets, err := c.adm.FetchOffsets(ctx, group); err == nil {
		info.Commits = map[string]map[int32]GroupCommit{}
		offsets.Each(func(o kadm.OffsetResponse) {
			if o.At < 0 {
				return
			}
			if info.Commits[o.Topic] == nil {
				info.Commits[o.Topic] = map[int32]GroupCommit{}
			}
			info.Commits[o.Topic][o.Partition] = GroupCommit{Offset: o.At, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata}
		})
	}
	return info
}

func (c *Cluster) consumerGroup(ctx context.Context, group string) *GroupInfo {
	all, err := c.adm.DescribeConsumerGroups(ctx, group)
	g, ok := all[group]
	if err != nil || !ok || g.Err != nil {
		return nil
	}
	info := &GroupInfo{Group: group, State: g.State, Epoch: g.Epoch}
	for _, m := range g.Members {
		info.Members = append(info.Members, GroupMember{MemberID: m.MemberID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
			SubscribedTopics: m.SubscribedTopics, Assignment: lists(m.Assignment)})
	}
	return info
}

func (c *Cluster) classicGroup(ctx context.Context, group string) *GroupInfo {
	all, err := c.adm.DescribeGroups(ctx, group)
	g, ok := all[group]
	if err != nil || !ok || g.Err != nil || g.State == "Dead" {
		return nil
	}
	info := &GroupInfo{Group: group, State: g.State}
	for _, m := range g.Members {
		member := GroupMember{MemberID: m.MemberID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost, Assignment: map[string][]int32{}}
		if join, ok := m.Join.AsConsumer(); ok {
			member.SubscribedTopics = join.Topics
		}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				member.Assignment[t.Topic] = t.Partitions
			}
		}
		info.Members = append(info.Members, member)
	}
	return info
}

func lists(sets kadm.TopicsSet) map[string][]int32 {
	out := map[string][]int32{}
	for topic, set := range sets {
		for p := range set {
			out[topic] = append(out[topic], p)
		}
	}
	return out
}

// WaitGroupStable waits until a group is stable with as many members; -1 is any number.
func (c *Cluster) WaitGroupStable(ctx context.Context, group string, members int) (*GroupInfo, error) {
	return c.WaitGroupInfo(ctx, group, func(g *GroupInfo) bool {
		return g != nil && g.State == "Stable" && (members < 0 || len(g.Members) == members)
	})
}

// WaitGroupInfo waits until a group is as fn wants it; fn gets nil while there is none.
func (c *Cluster) WaitGroupInfo(ctx context.Context, group string, fn func(*GroupInfo) bool) (*GroupInfo, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		g := c.GroupInfo(group)
		if fn(g) {
			return g, nil
		}
		select {
		case <-ctx.Done():
			return g, ctx.Err()
		case <-tick.C:
		}
	}
}
