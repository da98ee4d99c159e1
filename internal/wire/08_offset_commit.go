package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// OffsetCommit: v2-10
//
// Behaviour:
//   - Answered when the offsets are on disk.
//   - Topics that do not exist are answered one by one; the others are stored.
//   - Generation -1 and no member id: a consumer that assigns its partitions
//     itself, or an administrator. Taken only while the group has no members.
//   - During a rebalance: taken from members of the generation before until the
//     next one begins, then REBALANCE_IN_PROGRESS until it has its assignment.
//   - The metadata string comes back as it is; longer than
//     offset.metadata.max.bytes is OFFSET_METADATA_TOO_LARGE.
//
// Versions:
//   - v2 to v4: a retention of the commit's own
//   - v6: the leader epoch of the last record read (KIP-320)
//   - v7: group.instance.id (KIP-345)
//   - v9: GROUP_ID_NOT_FOUND where older ones get ILLEGAL_GENERATION (KIP-848)
//   - v10: topic ids instead of names, UNKNOWN_TOPIC_ID
func (a *api) offsetCommit(_ *Request, req *kmsg.OffsetCommitRequest) Reply {
	p, reply := later()
	a.broker.Groups.Commit(req, func(resp *kmsg.OffsetCommitResponse) { p.Answer(resp) })
	return reply
}
