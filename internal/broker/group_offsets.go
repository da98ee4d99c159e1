package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
)

// commitBytes is about what a committed offset takes in the log, with names and
// metadata of ordinary length.
const commitBytes = 256

// Commit stores offsets; the answer comes when they are on disk. Topics that do
// not exist are answered one by one, the others are stored. It may wait for room in
// the log, as a produce request does.
func (g *Groups) Commit(req *kmsg.OffsetCommitRequest, done func(*kmsg.OffsetCommitResponse)) {
	res := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	e := group.Commit{
		Group:           req.Group,
		MemberID:        req.MemberID,
		InstanceID:      req.InstanceID,
		Generation:      req.Generation,
		Version:         req.Version,
		RetentionMillis: req.RetentionTimeMillis,
	}
	topics := g.opt.Catalog.Snapshot()
	var slots []*int16 // where the codes of e.Offsets go
	for _, rt := range req.Topics {
		st := kmsg.NewOffsetCommitResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		st.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(rt.Partitions))
		t, code := lookUp(topics, req.Version >= 10, rt.Topic, rt.TopicID)
		for i, rp := range rt.Partitions {
			st.Partitions[i].Default()
			st.Partitions[i].Partition = rp.Partition
			if st.Partitions[i].ErrorCode = partitionCode(t, code, rp.Partition); st.Partitions[i].ErrorCode == 0 {
				e.Offsets = append(e.Offsets, commitOffset(t, rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata))
				slots = append(slots, &st.Partitions[i].ErrorCode)
			}
		}
		res.Topics = append(res.Topics, st)
	}
	release := g.opt.Store.AwaitReserve(commitBytes * (1 + len(e.Offsets)))
	defer release()
	ask(g, req.Group, func(t group.Token) group.Event {
		e.Token = t
		e.Offsets, slots = g.dropDeleted(e.Offsets, slots)
		return e
	}, func(a group.CommitAnswer) {
		for i, code := range a.Codes {
			*slots[i] = code
		}
		done(res)
	}, func(code int16) {
		for _, s := range slots {
			*s = code
		}
		done(res)
	})
}

// dropDeleted takes out the offsets of topics that were deleted after they had been
// looked up, and answers them. It is called with the machine's lock held: a topic that
// is there now will be told to the machine as gone after this commit, not before it.
// Else a topic that is made again under the name would begin with the old one's offset.
func (g *Groups) dropDeleted(offsets []group.CommitOffset, slots []*int16) ([]group.CommitOffset, []*int16) {
	kept := 0
	for i, o := range offsets {
		if !g.topicExists(o.Topic, o.TopicID) {
			*slots[i] = kerr.UnknownTopicOrPartition.Code
			continue
		}
		offsets[kept], slots[kept] = o, slots[i]
		kept++
	}
	return offsets[:kept], slots[:kept]
}

// commitOffset is what a request says of a partition of a topic.
func commitOffset(t *catalog.Topic, partition int32, offset int64, epoch int32, metadata *string) group.CommitOffset {
	o := group.CommitOffset{Topic: t.Name, TopicID: t.ID, Partition: partition, Offset: offset, LeaderEpoch: epoch}
	if metadata != nil {
		o.Metadata = *metadata
	}
	return o
}

// lookUp finds a topic by name, or by id as requests of group offsets do from
// v10 on; the code says what is wrong.
func lookUp(s *catalog.Snapshot, byID bool, name string, id [16]byte) (*catalog.Topic, int16) {
	if byID {
		if t := s.TopicByID(kafka.UUID(id)); t != nil {
			return t, 0
		}
		return nil, kerr.UnknownTopicID.Code
	}
	if t := s.Topic(name); t != nil {
		return t, 0
	}
	return nil, kerr.UnknownTopicOrPartition.Code
}

// partitionCode is the code for a partition of a topic that was looked up: what lookUp said,
// or that the topic has no such partition.
func partitionCode(t *catalog.Topic, code int16, partition int32) int16 {
	if code == 0 && (partition < 0 || partition >= t.Partitions) {
		return kerr.UnknownTopicOrPartition.Code
	}
	return code
}

// Fetch tells committed offsets, of one group (before v8) or of several.
// Every offset that is shown is durable; with RequireStable those that a transaction
// is about to replace are not shown.
func (g *Groups) Fetch(req *kmsg.OffsetFetchRequest, done func(*kmsg.OffsetFetchResponse)) {
	res := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version < 8 {
		g.fetchOne(req, res, done)
		return
	}
	res.Groups = make([]kmsg.OffsetFetchResponseGroup, len(req.Groups))
	all := gather(len(req.Groups), func() { done(res) })
	topics := g.opt.Catalog.Snapshot()
	for i := range req.Groups {
		rg, sg := &req.Groups[i], &res.Groups[i]
		sg.Default()
		sg.Group = rg.Group
		e := group.FetchOffsets{Group: rg.Group, MemberID: rg.MemberID, MemberEpoch: rg.MemberEpoch, All: rg.Topics == nil, Stable: req.RequireStable}
		var unknown []kmsg.OffsetFetchResponseGroupTopic
		for _, rt := range rg.Topics {
			name := rt.Topic
			if req.Version >= 10 {
				t, code := lookUp(topics, true, "", rt.TopicID)
				if code != 0 {
					unknown = append(unknown, unknownFetch(rt.TopicID, rt.Partitions, code))
					continue
				}
				name = t.Name
			}
			e.Topics = append(e.Topics, group.TopicPartitions{Topic: name, Partitions: rt.Partitions})
		}
		ask(g, rg.Group, func(t group.Token) group.Event { e.Token = t; return e }, func(a group.FetchAnswer) {
			sg.ErrorCode = a.Code
			for _, ft := range a.Topics {
				st := kmsg.NewOffsetFetchResponseGroupTopic()
				st.Topic = ft.Topic
				if req.Version >= 10 {
					t, code := lookUp(topics, false, ft.Topic, [16]byte{})
					if code != 0 {
						continue // all were asked for; this one's topic is just being deleted
					}
					st.TopicID = t.ID
				}
				for _, o := range ft.Partitions {
					sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					sp.Partition, sp.Offset, sp.LeaderEpoch, sp.ErrorCode = o.Partition, o.Offset, o.LeaderEpoch, o.Code
					sp.Metadata = kmsg.StringPtr(o.Metadata)
					st.Partitions = append(st.Partitions, sp)
				}
				sg.Topics = append(sg.Topics, st)
			}
			if a.Code == 0 { // an error of the group is all that is said
				sg.Topics = append(sg.Topics, unknown...)
			}
			all()
		}, func(code int16) {
			sg.ErrorCode = code
			all()
		})
	}
}

// unknownFetch answers for a topic id that does not exist.
func unknownFetch(id [16]byte, partitions []int32, code int16) kmsg.OffsetFetchResponseGroupTopic {
	st := kmsg.NewOffsetFetchResponseGroupTopic()
	st.TopicID = id
	for _, p := range partitions {
		sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		sp.Partition, sp.Offset, sp.ErrorCode = p, -1, code
		sp.Metadata = kmsg.StringPtr("")
		st.Partitions = append(st.Partitions, sp)
	}
	return st
}

// fetchOne is Fetch before v8.
func (g *Groups) fetchOne(req *kmsg.OffsetFetchRequest, res *kmsg.OffsetFetchResponse, done func(*kmsg.OffsetFetchResponse)) {
	e := group.FetchOffsets{Group: req.Group, MemberEpoch: -1, All: req.Topics == nil && req.Version >= 2, Stable: req.RequireStable}
	for _, t := range req.Topics {
		e.Topics = append(e.Topics, group.TopicPartitions{Topic: t.Topic, Partitions: t.Partitions})
	}
	fill := func(a group.FetchAnswer) {
		res.ErrorCode = a.Code
		for _, ft := range a.Topics {
			st := kmsg.NewOffsetFetchResponseTopic()
			st.Topic = ft.Topic
			for _, o := range ft.Partitions {
				sp := kmsg.NewOffsetFetchResponseTopicPartition()
				sp.Partition, sp.Offset, sp.LeaderEpoch, sp.ErrorCode = o.Partition, o.Offset, o.LeaderEpoch, o.Code
				sp.Metadata = kmsg.StringPtr(o.Metadata)
				st.Partitions = append(st.Partitions, sp)
			}
			res.Topics = append(res.Topics, st)
		}
		done(res)
	}
	ask(g, req.Group, func(t group.Token) group.Event { e.Token = t; return e }, fill, func(code int16) {
		// v1 has no error of its own: each partition carries it.
		a := group.FetchAnswer{Code: code}
		for _, t := range e.Topics {
			ft := group.FetchedTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				ft.Partitions = append(ft.Partitions, group.FetchedOffset{Partition: p, Offset: -1, LeaderEpoch: -1, Code: code})
			}
			a.Topics = append(a.Topics, ft)
		}
		fill(a)
	})
}

// DeleteOffsets forgets offsets of topics that the group does not read.
func (g *Groups) DeleteOffsets(req *kmsg.OffsetDeleteRequest, done func(*kmsg.OffsetDeleteResponse)) {
	res := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	e := group.DeleteOffsets{Group: req.Group}
	topics := g.opt.Catalog.Snapshot()
	var answers []kmsg.OffsetDeleteResponseTopic
	var slots [][]*int16 // where the codes of e.Topics go
	for _, rt := range req.Topics {
		st := kmsg.NewOffsetDeleteResponseTopic()
		st.Topic = rt.Topic
		st.Partitions = make([]kmsg.OffsetDeleteResponseTopicPartition, len(rt.Partitions))
		tp := group.TopicPartitions{Topic: rt.Topic}
		var codes []*int16
		t := topics.Topic(rt.Topic)
		for i, p := range rt.Partitions {
			sp := &st.Partitions[i]
			sp.Default()
			sp.Partition = p.Partition
			if t == nil || p.Partition < 0 || p.Partition >= t.Partitions {
				sp.ErrorCode = kerr.UnknownTopicOrPartition.Code
				continue
			}
			tp.Partitions = append(tp.Partitions, p.Partition)
			codes = append(codes, &sp.ErrorCode)
		}
		answers = append(answers, st)
		e.Topics = append(e.Topics, tp)
		slots = append(slots, codes)
	}
	ask(g, req.Group, func(t group.Token) group.Event { e.Token = t; return e }, func(a group.DeleteOffsetsAnswer) {
		if res.ErrorCode = a.Code; a.Code == 0 {
			for i, codes := range a.Codes {
				for j, code := range codes {
					*slots[i][j] = code
				}
			}
			res.Topics = answers
		}
		done(res)
	}, func(code int16) {
		res.ErrorCode = code
		done(res)
	})
}

// gather returns a function to be called n times, the last of which calls done.
// With n = 0 done is called at once.
func gather(n int, done func()) func() {
	if n == 0 {
		done()
		return func() {}
	}
	var mu sched.Mutex
	return func() {
		mu.Lock()
		n--
		last := n == 0
		mu.Unlock()
		if last {
			done()
		}
	}
}
