package group

import (
	"cmp"
	"maps"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
)

// offset is a committed offset.
type offset struct {
	topicID     [16]byte // zero when not known
	offset      int64
	leaderEpoch int32
	metadata    string
	committed   int64 // ms since 1970
	expires     int64 // ms since 1970 if the commit set it (v2 to v4), else -1
}

// commit stores offsets.
func (c *Coordinator) commit(e Commit) {
	codes := make([]int16, len(e.Offsets))
	fail := func(code int16) { c.replyCodes(e.Token, codes, code) }
	g := c.groups[e.Group]
	if g == nil {
		switch {
		case e.Generation < 0:
			// A consumer that assigns its partitions itself, or an administrator.
			g = c.create(e.Group)
		case e.Version >= 9:
			fail(kerr.GroupIDNotFound.Code)
			return
		default:
			fail(kerr.IllegalGeneration.Code)
			return
		}
	}
	c.touch(g)
	if g.modern != nil {
		refused, err := g.modern.checkCommit(e)
		if err != nil {
			fail(codeOf(err))
			return
		}
		copy(codes, refused)
	} else if err := g.checkCommit(e); err != nil {
		fail(err.Code)
		return
	}
	if m := g.byID[e.MemberID]; m != nil && g.state != Empty {
		c.seen(g, m)
	}
	expires := int64(-1)
	if e.RetentionMillis >= 0 {
		expires = c.now.UnixMilli() + e.RetentionMillis
	}
	c.store(e.Token, g, e.Offsets, codes, expires, func(k offsetKey, o offset) {
		g.setOffset(k.topic, k.partition, o)
		c.pending.overtaken(k)
	})
}

// replyCodes answers a commit: of the offsets those that have no code yet get this one.
func (c *Coordinator) replyCodes(t Token, codes []int16, code int16) {
	for i := range codes {
		if codes[i] == 0 {
			codes[i] = code
		}
	}
	c.reply(t, CommitAnswer{codes})
}

// store writes the offsets that have no code yet, and answers when they are durable; put
// takes each of them in when it is in the log. It is false when there is nothing to be
// written.
func (c *Coordinator) store(t Token, g *group, offsets []CommitOffset, codes []int16, expires int64, put func(offsetKey, offset)) bool {
	var records []Record
	var stored []int
	values := make([]offset, len(offsets))
	for i, o := range offsets {
		if codes[i] != 0 {
			continue
		}
		if javaLength(o.Metadata) > c.cfg.OffsetMetadataMaxSize {
			codes[i] = kerr.OffsetMetadataTooLarge.Code
			continue
		}
		values[i] = offset{o.TopicID, o.Offset, o.LeaderEpoch, o.Metadata, c.now.UnixMilli(), expires}
		records = append(records, offsetRecord(g.id, o.Topic, o.Partition, &values[i]))
		stored = append(stored, i)
	}
	switch {
	case len(records) == 0:
		c.replyCodes(t, codes, 0)
		return false
	case c.tooLarge(records):
		c.replyCodes(t, codes, kerr.InvalidCommitOffsetSize.Code)
		return false
	}
	c.write(g, records, func() {
		for _, i := range stored {
			put(offsetKey{g.id, offsets[i].Topic, offsets[i].Partition}, values[i])
		}
	}, func(err error) { c.replyCodes(t, codes, codeOf(err)) })
	return true
}

// javaLength is the length of a string in Java: its UTF-16 units.
func javaLength(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// checkCommit says whether a commit may be taken.
func (g *group) checkCommit(e Commit) *kerr.Error {
	if e.Generation < 0 && g.state == Empty {
		return nil
	}
	if e.Generation < 0 && e.MemberID == "" && e.InstanceID == nil {
		// Nobody but the members commits while there are any.
		return kerr.UnknownMemberID
	}
	if err := g.check(e.MemberID, e.InstanceID); err != nil {
		return err
	}
	if e.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	if g.state == CompletingRebalance {
		// The member knows the new generation, but not yet whether what it commits
		// is still its own.
		return kerr.RebalanceInProgress
	}
	return nil
}

func (g *group) setOffset(topic string, partition int32, o offset) {
	ps := g.offsets[topic]
	if ps == nil {
		ps = make(map[int32]offset)
		g.offsets[topic] = ps
	}
	ps[partition] = o
}

func (g *group) removeOffset(topic string, partition int32) {
	delete(g.offsets[topic], partition)
	if len(g.offsets[topic]) == 0 {
		delete(g.offsets, topic)
	}
}

// sortedOffsets calls f for every offset, by topic and partition.
func (g *group) sortedOffsets(f func(topic string, partition int32, o offset)) {
	for _, t := range slices.Sorted(maps.Keys(g.offsets)) {
		for _, p := range slices.Sorted(maps.Keys(g.offsets[t])) {
			f(t, p, g.offsets[t][p])
		}
	}
}

// fetchOffsets tells what was committed. Each partition that was asked for is
// answered, also of a group that does not exist: with offset -1 and no error.
func (c *Coordinator) fetchOffsets(e FetchOffsets) {
	g := c.groups[e.Group]
	var answer FetchAnswer
	if g != nil && g.modern != nil {
		if err := g.modern.checkFetch(e); err != nil {
			answer.Code = codeOf(err)
			c.reply(e.Token, answer)
			return
		}
	}
	if e.All {
		if g != nil {
			g.sortedOffsets(func(topic string, p int32, o offset) {
				if n := len(answer.Topics); n == 0 || answer.Topics[n-1].Topic != topic {
					answer.Topics = append(answer.Topics, FetchedTopic{Topic: topic})
				}
				t := &answer.Topics[len(answer.Topics)-1]
				fo := FetchedOffset{p, o.offset, o.leaderEpoch, o.metadata, 0}
				if e.Stable && c.pending.count[offsetKey{e.Group, topic, p}] > 0 {
					fo = FetchedOffset{p, -1, -1, "", kerr.UnstableOffsetCommit.Code}
				}
				t.Partitions = append(t.Partitions, fo)
			})
		}
	} else {
		for _, t := range e.Topics {
			ft := FetchedTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				fo := FetchedOffset{Partition: p, Offset: -1, LeaderEpoch: -1}
				if e.Stable && c.pending.count[offsetKey{e.Group, t.Topic, p}] > 0 {
					fo.Code = kerr.UnstableOffsetCommit.Code
				} else if g != nil {
					if o, ok := g.offsets[t.Topic][p]; ok {
						fo = FetchedOffset{p, o.offset, o.leaderEpoch, o.metadata, 0}
					}
				}
				ft.Partitions = append(ft.Partitions, fo)
			}
			answer.Topics = append(answer.Topics, ft)
		}
	}
	c.whenShown(g, func(err error) {
		if err != nil {
			answer.Code = codeOf(err)
			if e.All {
				answer.Topics = nil // nobody asked for these by name
			}
			for _, t := range answer.Topics {
				for i, p := range t.Partitions {
					t.Partitions[i] = FetchedOffset{Partition: p.Partition, Offset: -1, LeaderEpoch: -1, Code: answer.Code}
				}
			}
		}
		c.reply(e.Token, answer)
	})
}

// deleteOffsets removes offsets of topics that nobody in the group reads.
func (c *Coordinator) deleteOffsets(e DeleteOffsets) {
	g := c.groups[e.Group]
	answer := DeleteOffsetsAnswer{Codes: make([][]int16, len(e.Topics))}
	for i, t := range e.Topics {
		answer.Codes[i] = make([]int16, len(t.Partitions))
	}
	switch {
	case e.Group == "":
		answer.Code = kerr.InvalidGroupID.Code
	case g == nil:
		answer.Code = kerr.GroupIDNotFound.Code
	case g.modern == nil && g.state != Empty && g.protocolType != consumerType:
		// What its members read cannot be known.
		answer.Code = kerr.NonEmptyGroup.Code
	}
	if answer.Code != 0 {
		c.reply(e.Token, answer)
		return
	}
	var gone []TopicPartitions
	for i, t := range e.Topics {
		if g.reads(t.Topic) {
			for j := range t.Partitions {
				answer.Codes[i][j] = kerr.GroupSubscribedToTopic.Code
			}
			continue
		}
		gone = append(gone, t)
	}
	c.forget(g, gone, func(err error) {
		if err != nil {
			answer.Code = codeOf(err)
		}
		c.reply(e.Token, answer)
	})
}

// forget writes tombstones for those of the offsets that exist, then calls done.
func (c *Coordinator) forget(g *group, topics []TopicPartitions, done func(error)) {
	c.touch(g)
	var records []Record
	for _, t := range topics {
		for _, p := range t.Partitions {
			if _, ok := g.offsets[t.Topic][p]; ok || c.pending.count[offsetKey{g.id, t.Topic, p}] > 0 {
				records = append(records, offsetRecord(g.id, t.Topic, p, nil))
			}
		}
	}
	if len(records) == 0 {
		c.whenShown(g, done)
		return
	}
	c.write(g, records, func() {
		for _, t := range topics {
			for _, p := range t.Partitions {
				g.removeOffset(t.Topic, p)
				c.pending.overtaken(offsetKey{g.id, t.Topic, p})
			}
		}
	}, done)
}

// topicGone forgets the offsets of a deleted topic.
func (c *Coordinator) topicGone(e TopicGone) {
	for _, g := range c.sortedGroups() {
		tp := TopicPartitions{Topic: e.Topic}
		for _, p := range slices.Sorted(maps.Keys(g.offsets[e.Topic])) {
			if id := g.offsets[e.Topic][p].topicID; id == e.ID || id == [16]byte{} {
				tp.Partitions = append(tp.Partitions, p)
			}
		}
		for _, k := range c.pending.of(g.id) {
			if k.topic == e.Topic && !slices.Contains(tp.Partitions, k.partition) {
				tp.Partitions = append(tp.Partitions, k.partition)
			}
		}
		if len(tp.Partitions) > 0 {
			c.forget(g, []TopicPartitions{tp}, func(error) {})
		}
	}
}

// retain forgets offsets that are older than the retention, and empty groups
// that have none left.
func (c *Coordinator) retain() {
	c.retentionAt = c.now.Add(c.cfg.OffsetsRetentionCheckInterval)
	now := c.now.UnixMilli()
	for _, g := range c.sortedGroups() {
		var gone []TopicPartitions
		kept := len(c.pending.of(g.id))
		g.sortedOffsets(func(topic string, p int32, o offset) {
			if !g.expired(topic, o, now, c.cfg.OffsetsRetention) {
				kept++
				return
			}
			if n := len(gone); n == 0 || gone[n-1].Topic != topic {
				gone = append(gone, TopicPartitions{Topic: topic})
			}
			gone[len(gone)-1].Partitions = append(gone[len(gone)-1].Partitions, p)
		})
		switch {
		case g.vacant() && kept == 0 && len(g.pending) == 0 && (g.modern == nil || g.modern.expires()):
			c.note(g, "the group is empty and its offsets have expired: deleted")
			c.bury(g, nil)
		case len(gone) > 0:
			c.note(g, "offsets of %d topics have expired", len(gone))
			c.forget(g, gone, func(error) {})
		}
	}
}

// expired says whether an offset may be forgotten. While the group has members,
// offsets of what they read, or might read, never expire.
func (g *group) expired(topic string, o offset, now int64, retention time.Duration) bool {
	since := o.committed
	switch {
	case g.modern != nil:
		if g.modern.reads(topic) {
			return false
		}
	case g.protocolType == "": // offsets alone, without members
	case g.state == Empty:
		if !g.stateSince.IsZero() {
			since = g.stateSince.UnixMilli()
		}
	case g.state == Stable && g.protocolType == consumerType && g.subscribed != nil && !g.reads(topic):
	default:
		return false
	}
	if o.expires >= 0 {
		return now >= o.expires
	}
	return now-since >= retention.Milliseconds()
}

func (c *Coordinator) sortedGroups() []*group {
	return slices.SortedFunc(maps.Values(c.groups), func(a, b *group) int { return cmp.Compare(a.id, b.id) })
}
