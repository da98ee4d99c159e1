package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// ConsumerGroupHeartbeat: v0-1
//
// Behaviour (KIP-848):
//   - All that a member of a consumer group says: epoch 0 joins, -1 leaves, -2
//     leaves with the place of a static member kept, the epoch that it was told
//     keeps it alive. Answered when what it changed is on disk.
//   - The broker assigns (group.consumer.assignors): a member is told to give
//     partitions up first, and gets others as soon as nobody has them any more.
//   - A regular expression (v1) is RE2's, has to match whole names, and is resolved at
//     once; topics that are made or deleted count at once. Apache resolves it in the
//     background, at most every ten seconds.
//   - A member that waits for partitions of another one is asked to come back in a fifth
//     of the heartbeat interval: 100 members settle in little more than one interval.
//   - A static member may join again with the id that it has, without having left.
//     Apache answers UNRELEASED_INSTANCE_ID.
//
// Versions:
//   - v1: regular expressions; the client makes the member id (KIP-1082)
func (a *api) consumerGroupHeartbeat(r *Request, req *kmsg.ConsumerGroupHeartbeatRequest) Reply {
	p, reply := later()
	client := group.Client{ID: r.ClientID, Host: r.Peer.KafkaHost()}
	a.broker.Groups.ConsumerHeartbeat(client, req, func(resp *kmsg.ConsumerGroupHeartbeatResponse) { p.Answer(resp) })
	return reply
}
