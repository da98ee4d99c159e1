//go:build sim

package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/sched"
)

// commit is a client that commits offsets for two groups, and asks for them.
func (r *run) commit() {
	for range r.tune.work {
		if r.mem.groupsRuined {
			return
		}
		pause()
		parts := r.mem.usable()
		if len(parts) == 0 {
			sched.Sleep(context.Background(), 5*time.Millisecond)
			continue
		}
		c := r.mem.committed([]string{"g1", "g2"}[sched.Draw(2)], parts[sched.Draw(len(parts))])
		if sched.Draw(4) == 0 {
			if err := r.askCommitted(c); err != nil {
				r.fail("%v", err)
			}
			continue
		}
		c.next++
		offset := c.next
		c.doubt = append(c.doubt, offset)
		r.hist.note("group %s commits %d of %s", c.group, offset, c.part)
		code := r.commitOffset(c, offset)
		r.hist.note("group %s commits %d of %s: %v", c.group, offset, c.part, kerr.ErrorForCode(code))
		switch {
		case code == 0:
			c.known, c.doubt = offset, nil
			r.stat.Commits++
		case c.part.topic.state != live:
		case r.ill(), code == kerr.NotCoordinator.Code:
			// So groups are told that the disk has failed, or that the write-ahead log,
			// which is tiny here, has no room before the next checkpoint.
			sched.Sleep(context.Background(), 50*time.Millisecond)
		default:
			r.fail("group %s: commit of %s: %v", c.group, c.part, kerr.ErrorForCode(code))
		}
	}
}

func (m *memory) committed(group string, p *partition) *committed {
	i := slices.IndexFunc(m.groups, func(c *committed) bool { return c.group == group && c.part == p })
	if i < 0 {
		m.groups = append(m.groups, &committed{group: group, part: p, known: -1})
		i = len(m.groups) - 1
	}
	return m.groups[i]
}

func (r *run) commitOffset(c *committed, offset int64) int16 {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, c.group, -1
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch = c.part.index, offset, -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.Partitions = c.part.topic.name, []kmsg.OffsetCommitRequestTopicPartition{rp}
	req.Topics = append(req.Topics, rt)
	done := sched.NewEvent()
	var code int16
	r.b.Groups.Commit(req, func(res *kmsg.OffsetCommitResponse) {
		code = res.Topics[0].Partitions[0].ErrorCode
		done.Set()
	})
	done.Wait()
	return code
}

// askCommitted compares a group's offset with what its client was told: it is
// the newest one acknowledged or seen, or one asked for after that.
func (r *run) askCommitted(c *committed) error {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, c.group
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic, rt.Partitions = c.part.topic.name, []int32{c.part.index}
	req.Topics = append(req.Topics, rt)
	done := sched.NewEvent()
	var code int16
	offset := int64(-1)
	r.b.Groups.Fetch(req, func(res *kmsg.OffsetFetchResponse) {
		if code = res.ErrorCode; code == 0 && len(res.Topics) > 0 {
			code, offset = res.Topics[0].Partitions[0].ErrorCode, res.Topics[0].Partitions[0].Offset
		}
		done.Set()
	})
	done.Wait()
	r.hist.note("group %s has %d of %s, %v", c.group, offset, c.part, kerr.ErrorForCode(code))
	if c.part.topic.state != live {
		return nil
	}
	if code != 0 {
		if r.ill() {
			return nil
		}
		return fmt.Errorf("group %s: offset of %s: %v", c.group, c.part, kerr.ErrorForCode(code))
	}
	i := slices.Index(c.doubt, offset)
	if offset != c.known && i < 0 {
		return fmt.Errorf("group %s: offset %d of %s is committed, %d was acknowledged or seen, and %v asked for since", c.group, offset, c.part, c.known, c.doubt)
	}
	if i >= 0 {
		c.known, c.doubt = offset, c.doubt[i+1:]
	}
	return nil
}

// checkCommits asks for all offsets of the partitions that are there.
func (r *run) checkCommits() error {
	if r.mem.groupsRuined {
		return nil
	}
	if r.b.Catalog.Snapshot().Topic("__consumer_offsets") == nil {
		for _, c := range r.mem.groups {
			if c.known >= 0 {
				return fmt.Errorf("group %s has committed %d of %s, and there is no topic for it", c.group, c.known, c.part)
			}
		}
		return nil // to ask for them would make it
	}
	for _, c := range r.mem.groups {
		if c.part.topic.state == live {
			if err := r.askCommitted(c); err != nil {
				return err
			}
		}
	}
	return nil
}
