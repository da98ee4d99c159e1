package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// OffsetFetch: v1-10
//
// Behaviour:
//   - Every partition that was asked for is answered; without an offset with -1
//     and no error, also for a group that does not exist.
//   - Shows what is on disk: while a commit is on its way there, waits for it.
//   - With RequireStable (v7) an offset that an open transaction is about to replace
//     is UNSTABLE_OFFSET_COMMIT (KIP-447).
//
// Versions:
//   - v2: no topics means all of the group's; an error of the whole request
//   - v5: leader epochs (KIP-320)
//   - v8: several groups (KIP-709)
//   - v9: member id and epoch, which must be those that a consumer group
//     has told, or null and -1; classic groups do not look at them (KIP-848)
//   - v10: topic ids instead of names, UNKNOWN_TOPIC_ID
func (a *api) offsetFetch(_ *Request, req *kmsg.OffsetFetchRequest) Reply {
	p, reply := later()
	a.broker.Groups.Fetch(req, func(resp *kmsg.OffsetFetchResponse) { p.Answer(resp) })
	return reply
}
