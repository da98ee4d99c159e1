package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	sharing "github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// ShareAcknowledge: v1-2
//
// Behaviour (KIP-932):
//   - Each partition's acknowledgements are carried out whole or not at all, and
//     answered when they are on disk.
//   - A type is 0 (gap), 1 (accept), 2 (release), 3 (reject) or 4 (renew); one for the
//     whole batch, or one for each offset.
//   - With epoch -1 the session ends: what the member still holds is given back, and
//     what it releases in this request has not failed.
//   - A reject is answered when the dead letter is on disk, too; when that cannot be
//     written it is INVALID_RECORD_STATE, and the record stays where it is. Apache
//     drops the record.
//
// Versions:
//   - v2: renewed locks (KIP-1222)
func (a *api) shareAcknowledge(r *Request, req *kmsg.ShareAcknowledgeRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ShareAcknowledgeResponse)
	group, member, err := shareMember(req.GroupID, req.MemberID)
	var ses *broker.ShareSession
	if err == nil {
		ses, err = a.broker.Shares.AckSession(group, member, req.ShareSessionEpoch)
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = a.code(r, err), explain(err)
		return answer(resp)
	}
	var acks []shareAck
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			batches := make([]sharing.Ack, len(p.AcknowledgementBatches))
			for k, b := range p.AcknowledgementBatches {
				batches[k] = sharing.Ack{First: b.FirstOffset, Last: b.LastOffset, Types: b.AcknowledgeTypes}
			}
			acks = append(acks, shareAck{ref: broker.ShareRef{Topic: kafka.UUID(t.TopicID), Partition: p.Partition}, batches: batches})
		}
	}
	closing := req.ShareSessionEpoch == -1
	acks = a.shareAcks(r, group, member, acks, closing, req.Version >= 2 && req.IsRenewAck)
	if closing {
		a.broker.Shares.EndSession(ses, false)
	}
	resp.AcquisitionLockTimeoutMillis = int32(a.broker.Shares.LockDuration(group).Milliseconds())
	var pos plog.Pos
	for i := range acks {
		pos = max(pos, acks[i].pos)
	}
	p, reply := later()
	a.broker.Store.WhenDurable(pos, func(failed error) {
		for i := range acks {
			ack := &acks[i]
			rp := kmsg.NewShareAcknowledgeResponseTopicPartition()
			rp.Partition = ack.ref.Partition
			rp.ErrorCode, rp.ErrorMessage = a.ackResult(r, ack, failed)
			n := len(resp.Topics)
			if n == 0 || resp.Topics[n-1].TopicID != ack.ref.Topic {
				t := kmsg.NewShareAcknowledgeResponseTopic()
				t.TopicID = ack.ref.Topic
				resp.Topics = append(resp.Topics, t)
				n++
			}
			resp.Topics[n-1].Partitions = append(resp.Topics[n-1].Partitions, rp)
		}
		p.Answer(resp)
	})
	return reply
}

// shareAck is what a request acknowledges of a partition, and what came of it.
type shareAck struct {
	ref     broker.ShareRef
	batches []sharing.Ack
	err     error
	pos     plog.Pos
}

// shareAcks carries out acknowledgements, partition by partition. That of a client that
// waits for nothing else gathers, where there is only one: the next might have to wait
// for room in the log, which comes with the flush of what has gathered.
func (a *api) shareAcks(r *Request, group, member string, acks []shareAck, closing, renew bool) []shareAck {
	r.Gathered = r.Alone && len(acks) == 1 && !closing
	for i := range acks {
		ack := &acks[i]
		part, err := a.partition(true, "", ack.ref.Topic, ack.ref.Partition)
		switch {
		case err != nil:
			ack.err = err
		case !renew && hasRenew(ack.batches):
			ack.err = catalog.Refuse(kerr.InvalidRequest, "Locks are renewed by requests from v2 on with is_renew_ack.")
		case len(ack.batches) > 0:
			var code int16
			if ack.pos, code = a.broker.Shares.Acknowledge(group, member, part, ack.batches, closing, r.Gathered); code != 0 {
				ack.err = kerr.ErrorForCode(code)
			}
		}
	}
	return acks
}

func hasRenew(acks []sharing.Ack) bool {
	for _, a := range acks {
		for _, t := range a.Types {
			if t == int8(sharing.Renew) {
				return true
			}
		}
	}
	return false
}

// ackResult is what the client is told about an acknowledgement.
func (a *api) ackResult(r *Request, ack *shareAck, failed error) (int16, *string) {
	err := ack.err
	if err == nil && ack.pos > 0 {
		err = failed
	}
	return a.code(r, err), explain(err)
}
