package differential

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/test/divergence"
)

// consumerLies are answers to groups of the consumer protocol that are wrong in one small
// thing, expressionLies to those of them whose members read by expressions, shareLies to
// share groups.
var (
	consumerLies = map[string]func(kmsg.Response){
		"an epoch that is fenced is taken": func(r kmsg.Response) {
			if h, ok := r.(*kmsg.ConsumerGroupHeartbeatResponse); ok && h.ErrorCode == kerr.FencedMemberEpoch.Code {
				h.ErrorCode = 0
			}
		},
		"a partition that a member is not told of": func(r kmsg.Response) {
			if h, ok := r.(*kmsg.ConsumerGroupHeartbeatResponse); ok && h.Assignment != nil && len(h.Assignment.Topics) > 0 && len(h.Assignment.Topics[0].Partitions) > 1 {
				h.Assignment.Topics[0].Partitions = h.Assignment.Topics[0].Partitions[:1]
			}
		},
		"an assignment that is said to be behind": func(r kmsg.Response) {
			if d, ok := r.(*kmsg.ConsumerGroupDescribeResponse); ok && d.Groups[0].State == "Stable" {
				d.Groups[0].AssignmentEpoch--
			}
		},
	}
	expressionLies = map[string]func(kmsg.Response){
		"an expression that cannot be read is taken": func(r kmsg.Response) {
			if h, ok := r.(*kmsg.ConsumerGroupHeartbeatResponse); ok && h.ErrorCode == kerr.InvalidRegularExpression.Code {
				h.ErrorCode = 0
			}
		},
		"an expression that is not told": func(r kmsg.Response) {
			if d, ok := r.(*kmsg.ConsumerGroupDescribeResponse); ok {
				for i := range d.Groups[0].Members {
					d.Groups[0].Members[i].SubscribedTopicRegex = kmsg.StringPtr("")
				}
			}
		},
		"a partition that nobody is said to have": func(r kmsg.Response) {
			if d, ok := r.(*kmsg.ConsumerGroupDescribeResponse); ok {
				for i := range d.Groups[0].Members {
					if a := &d.Groups[0].Members[i].Assignment; len(a.TopicPartitions) > 1 {
						a.TopicPartitions = a.TopicPartitions[:1]
					}
				}
			}
		},
	}
	shareLies = map[string]func(kmsg.Response){
		"a delivery that is not counted": func(r kmsg.Response) {
			if f, ok := r.(*kmsg.ShareFetchResponse); ok && len(f.Topics) > 0 {
				for i, a := range f.Topics[0].Partitions[0].AcquiredRecords {
					if a.DeliveryCount > 1 {
						f.Topics[0].Partitions[0].AcquiredRecords[i].DeliveryCount--
					}
				}
			}
		},
		"a session epoch that is wrong is taken": func(r kmsg.Response) {
			if a, ok := r.(*kmsg.ShareAcknowledgeResponse); ok && a.ErrorCode == kerr.InvalidShareSessionEpoch.Code {
				a.ErrorCode = 0
			}
		},
		"a record that is not given with the others": func(r kmsg.Response) {
			if f, ok := r.(*kmsg.ShareFetchResponse); ok && len(f.Topics) > 0 {
				if p := &f.Topics[0].Partitions[0]; len(p.AcquiredRecords) > 0 && p.AcquiredRecords[0].LastOffset > 2 {
					p.AcquiredRecords[0].LastOffset--
				}
			}
		},
		"a partition that is left out where there are several": func(r kmsg.Response) {
			if f, ok := r.(*kmsg.ShareFetchResponse); ok && len(f.Topics) > 1 {
				f.Topics = f.Topics[:1]
			}
		},
		"a mistake about one of several partitions that is not told": func(r kmsg.Response) {
			if f, ok := r.(*kmsg.ShareFetchResponse); ok && len(f.Topics) > 1 {
				for _, t := range f.Topics {
					for i := range t.Partitions {
						t.Partitions[i].AcknowledgeErrorCode = 0
					}
				}
			}
		},
		"offsets of a group with members that are changed": func(r kmsg.Response) {
			if a, ok := r.(*kmsg.AlterShareGroupOffsetsResponse); ok && a.ErrorCode == kerr.NonEmptyGroup.Code {
				a.ErrorCode = 0
			}
		},
		"offsets of a topic that was not there are deleted": func(r kmsg.Response) {
			if a, ok := r.(*kmsg.DeleteShareGroupOffsetsResponse); ok {
				for i := range a.Topics {
					a.Topics[i].ErrorCode = 0
				}
			}
		},
		"offsets that were deleted are told": func(r kmsg.Response) {
			if o, ok := r.(*kmsg.DescribeShareGroupOffsetsResponse); ok {
				for _, g := range o.Groups {
					for _, t := range g.Topics {
						for i := range t.Partitions {
							t.Partitions[i].StartOffset = max(0, t.Partitions[i].StartOffset)
						}
					}
				}
			}
		},
	}
)

// As TestLiesAreFound, for groups of both new kinds.
func TestLiesOfGroupsAreFound(t *testing.T) {
	first, other := newWorld(newSide(t, "leat", openLeat(t))), newWorld(newSide(t, "leat", openLeat(t)))
	for _, kind := range []struct {
		ops  []op
		lies map[string]func(kmsg.Response)
	}{{consumerOps, consumerLies}, {expressionOps, expressionLies}, {shareOps, shareLies}} {
		for seed := range uint64(5) {
			if f := play(first, other, draw(kind.ops, seed, *length), newKnown(divergence.Of)); f != nil {
				t.Fatalf("the same broker twice, seed %d:\n%s", seed, f)
			}
		}
		for what, lie := range kind.lies {
			t.Run(what, func(t *testing.T) { findLie(t, first, other, lie, kind.ops, divergence.Of, 100) })
		}
	}
}
