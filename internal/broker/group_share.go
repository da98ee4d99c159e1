package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
)

// ShareHeartbeat is all that a member of a share group says; the answer comes when
// what it changed is on disk. A member that gets partitions finds them begun: what is
// produced from then on it will see, wherever the group begins.
func (b *Broker) ShareHeartbeat(client group.Client, req *kmsg.ShareGroupHeartbeatRequest, done func(*kmsg.ShareGroupHeartbeatResponse)) {
	refused := func(code int16) {
		res := req.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
		res.ErrorCode = code
		done(res)
	}
	if err := b.Shares.Ready(context.Background()); err != nil {
		refused(groupCode(err))
		return
	}
	if req.MemberEpoch == -1 {
		b.Shares.memberLeft(req.GroupID, req.MemberID)
	}
	ask(b.Groups, req.GroupID, func(t group.Token) group.Event {
		return group.ShareHeartbeat{Token: t, Client: client, Req: req}
	}, func(res *kmsg.ShareGroupHeartbeatResponse) {
		if res.Assignment == nil {
			done(res)
			return
		}
		// It may take a while, and this is the goroutine of all groups.
		sched.Go(func() {
			b.Shares.assigned(req.GroupID, res.Assignment)
			done(res)
		})
	}, refused)
}

// assigned begins the partitions that a member was given, where nobody has.
func (s *Shares) assigned(group string, a *kmsg.ShareGroupHeartbeatResponseAssignment) {
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			part := s.b.PartitionByID(kafka.UUID(t.TopicID), p)
			if part == nil {
				continue
			}
			sp, err := s.find(group, part)
			if err == nil {
				sp.mu.Lock()
				err = sp.open()
				sp.mu.Unlock()
			}
			if err != nil {
				// The first fetch tries again, and tells the client.
				s.b.Log.Warn("a share group cannot begin to read a partition", "group", group, "topic", part.Topic(), "partition", p, "err", err)
			}
		}
	}
}

// DeleteGroups is Groups.Delete; share groups go with their places. It may wait for room
// in the log.
func (b *Broker) DeleteGroups(req *kmsg.DeleteGroupsRequest, done func(*kmsg.DeleteGroupsResponse)) {
	del := func() {
		places := 0
		for _, id := range req.Groups {
			places += 1 + len(b.Shares.ofGroup(id))
		}
		release := b.Store.AwaitReserve(places * shareBytes)
		defer release()
		b.Groups.Delete(req, done)
	}
	if b.Shares.read() {
		del()
		return
	}
	// A group's lock is no place to read logs in. An error is told when they are needed.
	sched.Go(func() {
		_ = b.Shares.loaded()
		del()
	})
}

// DescribeShares shows share groups.
func (g *Groups) DescribeShares(req *kmsg.ShareGroupDescribeRequest, done func(*kmsg.ShareGroupDescribeResponse)) {
	res := req.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
	g.describeShares(req.GroupIDs, func(as []kmsg.ShareGroupDescribeResponseGroup) {
		res.Groups = as
		done(res)
	})
}

func (g *Groups) describeShares(ids []string, done func([]kmsg.ShareGroupDescribeResponseGroup)) {
	askAll(g, ids, func(t group.Token, id string) group.Event {
		return group.DescribeShare{Token: t, Group: id}
	}, func(id string, code int16) kmsg.ShareGroupDescribeResponseGroup {
		a := kmsg.NewShareGroupDescribeResponseGroup()
		a.GroupID, a.ErrorCode = id, code
		return a
	}, done)
}
