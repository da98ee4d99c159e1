package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
)

// ShareGroupHeartbeat: v1
//
// Behaviour (KIP-932):
//   - All that a member of a share group says: epoch 0 joins, -1 leaves, the epoch
//     that it was told keeps it alive. Answered when what it changed is on disk.
//   - A joining member gets its partitions in the answer. Apache gives them with a
//     later heartbeat, when their state has been initialized.
//   - The only assignor is "simple": each partition has a member, and each member has
//     a partition.
//   - What a member holds when it leaves is given back.
func (a *api) shareGroupHeartbeat(r *Request, req *kmsg.ShareGroupHeartbeatRequest) Reply {
	p, reply := later()
	client := group.Client{ID: r.ClientID, Host: r.Peer.KafkaHost()}
	a.broker.ShareHeartbeat(client, req, func(resp *kmsg.ShareGroupHeartbeatResponse) { p.Answer(resp) })
	return reply
}
