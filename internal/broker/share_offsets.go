package broker

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// What administrators see and change of share groups' places.

// SharePlace is where a share group stands in a partition.
type SharePlace struct {
	Topic     string
	TopicID   kafka.UUID
	Partition int32
	share.Info
	// Lag is how many records are neither accepted nor given up.
	Lag int64
	// Delivered and Buried count records since the start.
	Delivered, Buried int64
}

// place tells where a share-partition stands; ok is false when it has not begun. Pos is
// what the answer has to wait for.
func (sp *sharePart) place() (pl SharePlace, pos plog.Pos, ok bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.gone || sp.m == nil {
		return pl, 0, false
	}
	sp.refresh()
	log := sp.part.Log
	if start := log.Start(); start > sp.m.Info().Start {
		sp.step(share.LogStart{Offset: start})
	}
	end := log.HighWatermark()
	if sp.view.Committed {
		end = log.LastStable()
	}
	in := sp.m.Info()
	return SharePlace{
		Topic: sp.part.Topic(), TopicID: sp.key.topic, Partition: sp.key.partition, Info: in,
		Lag: max(0, end-in.Start-in.Done), Delivered: sp.counts.delivered, Buried: sp.counts.dead,
	}, sp.last, true
}

// Places are the places of a group, by topic id and partition, as they are on disk.
func (s *Shares) Places(group string) ([]SharePlace, error) {
	if err := s.loaded(); err != nil {
		return nil, err
	}
	var out []SharePlace
	var last plog.Pos
	for _, sp := range s.ofGroup(group) {
		if pl, pos, ok := sp.place(); ok {
			out, last = append(out, pl), max(last, pos)
		}
	}
	return out, s.settled(last)
}

// Groups are the names of the groups that have places.
func (s *Shares) Groups() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]string, 0, len(s.byID))
	for g := range s.byID {
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}

// loaded reads what is not read yet.
func (s *Shares) loaded() error {
	for _, sh := range s.shards.all() {
		if err := sh.ready(); err != nil {
			return err
		}
	}
	return nil
}

// read says that all of it has been read, or was found unreadable.
func (s *Shares) read() bool {
	return !slices.ContainsFunc(s.shards.all(), func(sh *shareShard) bool { return !sh.loaded.Load() })
}

// DescribeOffsets tells where groups stand. It waits until that is on disk.
func (s *Shares) DescribeOffsets(req *kmsg.DescribeShareGroupOffsetsRequest) *kmsg.DescribeShareGroupOffsetsResponse {
	res := req.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
	for i := range req.Groups {
		res.Groups = append(res.Groups, s.describeOffsets(&req.Groups[i]))
	}
	return res
}

func (s *Shares) describeOffsets(rg *kmsg.DescribeShareGroupOffsetsRequestGroup) kmsg.DescribeShareGroupOffsetsResponseGroup {
	g := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
	g.GroupID = rg.GroupID
	places, err := s.Places(rg.GroupID)
	if err != nil {
		g.ErrorCode = shareCode(err)
		return g
	}
	add := func(name string, id kafka.UUID, p kmsg.DescribeShareGroupOffsetsResponseGroupTopicPartition) {
		n := len(g.Topics)
		if n == 0 || g.Topics[n-1].Topic != name {
			t := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
			t.Topic, t.TopicID = name, id
			g.Topics = append(g.Topics, t)
			n++
		}
		g.Topics[n-1].Partitions = append(g.Topics[n-1].Partitions, p)
	}
	told := func(pl *SharePlace) kmsg.DescribeShareGroupOffsetsResponseGroupTopicPartition {
		p := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
		p.Partition, p.StartOffset, p.Lag, p.LeaderEpoch = pl.Partition, pl.Start, pl.Lag, s.b.Epoch
		return p
	}
	if rg.Topics == nil {
		for i := range places {
			add(places[i].Topic, places[i].TopicID, told(&places[i]))
		}
		return g // of a group that does not exist nothing, as Kafka has it
	}
	snap := s.b.Catalog.Snapshot()
	for _, rt := range rg.Topics {
		t := snap.Topic(rt.Topic)
		for _, index := range rt.Partitions {
			p := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
			p.Partition, p.StartOffset, p.Lag = index, -1, -1
			var id kafka.UUID
			switch {
			case t == nil || index < 0 || index >= t.Partitions:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
				p.ErrorMessage = &kerr.UnknownTopicOrPartition.Description
			default:
				id = t.ID
				if i := slices.IndexFunc(places, func(pl SharePlace) bool { return pl.TopicID == id && pl.Partition == index }); i >= 0 {
					p = told(&places[i])
				}
			}
			add(rt.Topic, id, p)
		}
	}
	return g
}

// emptyGroup says whether there is such a share group, without members: 0 or an error
// code.
func (s *Shares) emptyGroup(group string) int16 {
	var a kmsg.ShareGroupDescribeResponseGroup
	answered := sched.NewEvent()
	s.b.Groups.describeShares([]string{group}, func(as []kmsg.ShareGroupDescribeResponseGroup) {
		a = as[0]
		answered.Set()
	})
	answered.Wait()
	if a.ErrorCode == 0 && len(a.Members) > 0 {
		return kerr.NonEmptyGroup.Code
	}
	return a.ErrorCode
}

// makeGroup makes a share group without members, if there is none: 0 or an error code.
// With check it only tells whether that could be.
func (s *Shares) makeGroup(id string, check bool) (code int16) {
	answered := sched.NewEvent()
	done := func(c int16) {
		code = c
		answered.Set()
	}
	ask(s.b.Groups, id, func(t group.Token) group.Event { return group.MakeShare{Token: t, Group: id, Check: check} }, done, done)
	answered.Wait()
	return code
}

// AlterOffsets sets where a group without members reads on; one that does not exist is
// made, unless the request names nothing that it could begin with. It waits until that is
// on disk.
func (s *Shares) AlterOffsets(ctx context.Context, req *kmsg.AlterShareGroupOffsetsRequest) *kmsg.AlterShareGroupOffsetsResponse {
	res := req.ResponseKind().(*kmsg.AlterShareGroupOffsetsResponse)
	if req.GroupID == "" {
		res.ErrorCode, res.ErrorMessage = kerr.InvalidGroupID.Code, kmsg.StringPtr("A group's id can't be empty.")
		return res
	}
	if err := s.Ready(ctx); err != nil {
		res.ErrorCode = shareCode(err)
		return res
	}
	snap := s.b.Catalog.Snapshot()
	nothing := !slices.ContainsFunc(req.Topics, func(rt kmsg.AlterShareGroupOffsetsRequestTopic) bool {
		t := snap.Topic(rt.Topic)
		return t != nil && slices.ContainsFunc(rt.Partitions, func(rp kmsg.AlterShareGroupOffsetsRequestTopicPartition) bool {
			return rp.Partition >= 0 && rp.Partition < t.Partitions
		})
	})
	if res.ErrorCode = s.makeGroup(req.GroupID, nothing); res.ErrorCode != 0 {
		res.ErrorMessage = &kerr.TypedErrorForCode(res.ErrorCode).Description
		return res
	}
	var last plog.Pos
	for _, rt := range req.Topics {
		st := kmsg.NewAlterShareGroupOffsetsResponseTopic()
		st.Topic = rt.Topic
		t := snap.Topic(rt.Topic)
		if t != nil {
			st.TopicID = t.ID
		}
		for _, rp := range rt.Partitions {
			sp := kmsg.NewAlterShareGroupOffsetsResponseTopicPartition()
			sp.Partition = rp.Partition
			pos, err := s.alter(req.GroupID, t, rp.Partition, rp.StartOffset)
			if err != nil {
				sp.ErrorCode = shareCode(err)
				sp.ErrorMessage = &kerr.TypedErrorForCode(sp.ErrorCode).Description
			}
			last = max(last, pos)
			st.Partitions = append(st.Partitions, sp)
		}
		res.Topics = append(res.Topics, st)
	}
	if err := s.settled(last); err != nil {
		res.ErrorCode = shareCode(err)
	}
	return res
}

func (s *Shares) alter(id string, t *catalog.Topic, index int32, start int64) (plog.Pos, error) {
	if t == nil {
		return 0, kerr.UnknownTopicOrPartition
	}
	part := s.b.PartitionByID(t.ID, index)
	if part == nil {
		return 0, kerr.UnknownTopicOrPartition
	}
	sp, err := s.find(id, part)
	if err != nil {
		return 0, err
	}
	release := s.b.Store.AwaitReserve(shareBytes)
	defer release()
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.gone {
		return 0, kerr.UnknownTopicOrPartition
	}
	sp.refresh()
	sp.head.StateEpoch++
	if err := sp.begin(max(start, part.Log.Start())); err != nil {
		return 0, err
	}
	sp.shares.loop.expect(sp, sp.m.Deadline())
	sp.wait.wake()
	return sp.last, nil
}

// DeleteOffsets forgets where a group without members stands in topics. It waits until
// that is on disk.
func (s *Shares) DeleteOffsets(req *kmsg.DeleteShareGroupOffsetsRequest) *kmsg.DeleteShareGroupOffsetsResponse {
	res := req.ResponseKind().(*kmsg.DeleteShareGroupOffsetsResponse)
	if err := s.loaded(); err != nil {
		res.ErrorCode = shareCode(err)
		return res
	}
	if res.ErrorCode = s.emptyGroup(req.GroupID); res.ErrorCode != 0 {
		res.ErrorMessage = &kerr.TypedErrorForCode(res.ErrorCode).Description
		return res
	}
	snap := s.b.Catalog.Snapshot()
	var last plog.Pos
	for _, rt := range req.Topics {
		st := kmsg.NewDeleteShareGroupOffsetsResponseTopic()
		st.Topic, st.ErrorCode = rt.Topic, kerr.UnknownTopicOrPartition.Code
		if t := snap.Topic(rt.Topic); t != nil {
			st.TopicID = t.ID
			for _, sp := range s.ofGroup(req.GroupID) {
				if sp.key.topic != t.ID {
					continue
				}
				pos, err := sp.forget()
				if st.ErrorCode = shareCode(err); err != nil {
					break
				}
				last = max(last, pos)
			}
		}
		if st.ErrorCode != 0 {
			st.ErrorMessage = &kerr.TypedErrorForCode(st.ErrorCode).Description
		}
		res.Topics = append(res.Topics, st)
	}
	if err := s.settled(last); err != nil {
		res.ErrorCode = shareCode(err)
	}
	return res
}
