package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/plog"
)

// The timestamps of ListOffsets that stand for something else.
const (
	offsetLatest        = -1
	offsetEarliest      = -2
	offsetMaxTimestamp  = -3 // KIP-734
	offsetEarliestLocal = -4 // KIP-405
	offsetLatestTiered  = -5 // KIP-1005
	offsetEarliestDue   = -6 // KIP-1023: the earliest not yet in tiered storage
)

// ListOffsets: v1-11
//
// Behaviour:
//   - Latest is the high watermark: what is not durable has no offset yet. For
//     read_committed it is the last stable offset; what lies behind that is not found
//     by time either.
//   - Nothing is tiered: the earliest local offset is the log start; the latest
//     that is tiered and the earliest that waits for it are -1.
//   - A timestamp below zero that the version does not know gets
//     UNSUPPORTED_VERSION; a partition asked for twice INVALID_REQUEST, once.
//   - By time: the first record at or after the timestamp.
//
// Versions:
//   - v2: isolation level (KIP-98)
//   - v4: the leader epoch (KIP-320)
//   - v6: flexible
//   - v7: -3 (KIP-734), v8: -4 (KIP-405), v9: -5 (KIP-1005), v11: -6 (KIP-1023)
//   - v10: a time-out, for tiered storage
func (a *api) listOffsets(r *Request, req *kmsg.ListOffsetsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	if req.ReplicaID != -1 && req.ReplicaID != -2 {
		// There are no followers; a debugging consumer says -2.
		return hangUp(errReplica)
	}
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for i, p := range t.Partitions {
			if again(t.Partitions[:i], p.Partition) {
				continue // said once
			}
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset, rp.Timestamp, rp.LeaderEpoch = p.Partition, -1, -1, -1
			st, err := a.listOffset(req, t.Topic, p)
			if again(t.Partitions[i+1:], p.Partition) {
				err = kerr.InvalidRequest
			}
			if err != nil {
				rp.ErrorCode = a.code(r, err)
			} else {
				rp.Offset, rp.Timestamp, rp.LeaderEpoch = st.Offset, st.Timestamp, st.Epoch
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer(resp)
}

// again tells whether a partition is among others.
func again(others []kmsg.ListOffsetsRequestTopicPartition, p int32) bool {
	return slices.ContainsFunc(others, func(o kmsg.ListOffsetsRequestTopicPartition) bool { return o.Partition == p })
}

// specialSince are the versions that brought the special timestamps.
var specialSince = map[int64]int16{offsetLatest: 1, offsetEarliest: 1, offsetMaxTimestamp: 7, offsetEarliestLocal: 8, offsetLatestTiered: 9, offsetEarliestDue: 11}

func (a *api) listOffset(req *kmsg.ListOffsetsRequest, topic string, p kmsg.ListOffsetsRequestTopicPartition) (plog.Stamp, error) {
	version, committed := req.Version, req.IsolationLevel == 1
	none := plog.Stamp{Offset: -1, Timestamp: -1, Epoch: -1}
	if since, special := specialSince[p.Timestamp]; p.Timestamp < 0 && (!special || version < since) {
		return none, kerr.UnsupportedVersion
	}
	part, err := a.partition(false, topic, [16]byte{}, p.Partition)
	if err == nil {
		err = a.checkEpoch(part, p.CurrentLeaderEpoch)
	}
	if err == nil {
		err = storage(part)
	}
	if err != nil {
		return none, err
	}
	switch p.Timestamp {
	case offsetLatest:
		if committed {
			return plog.Stamp{Offset: part.Log.LastStable(), Timestamp: -1, Epoch: a.broker.Epoch}, nil
		}
		return plog.Stamp{Offset: part.Log.HighWatermark(), Timestamp: -1, Epoch: a.broker.Epoch}, nil
	case offsetEarliest, offsetEarliestLocal:
		return earliest(part, a.broker.Epoch), nil
	case offsetLatestTiered, offsetEarliestDue:
		return none, nil
	case offsetMaxTimestamp:
		return stable(part, committed)(part.Log.Newest())
	}
	return stable(part, committed)(part.Log.FirstAt(p.Timestamp))
}

// stable has a reader of committed data see nothing that may still be aborted.
func stable(part *broker.Partition, committed bool) func(plog.Stamp, error) (plog.Stamp, error) {
	return func(st plog.Stamp, err error) (plog.Stamp, error) {
		if committed && err == nil && st.Offset >= part.Log.LastStable() {
			return plog.Stamp{Offset: -1, Timestamp: -1, Epoch: -1}, nil
		}
		return st, err
	}
}

// earliest is the log start, with the epoch that wrote there; the current one when
// nothing has been written.
func earliest(part *broker.Partition, current int32) plog.Stamp {
	start := part.Log.Start()
	epoch := part.Log.EpochAt(start)
	if epoch < 0 {
		epoch = current
	}
	return plog.Stamp{Offset: start, Timestamp: -1, Epoch: epoch}
}

// checkEpoch compares the leader epoch that a client believes in with ours
// (KIP-320); -1 is a client that does not say.
func (a *api) checkEpoch(_ *broker.Partition, epoch int32) error {
	switch {
	case epoch < 0 || epoch == a.broker.Epoch:
		return nil
	case epoch < a.broker.Epoch:
		return kerr.FencedLeaderEpoch
	}
	return kerr.UnknownLeaderEpoch
}

// storage is an error when the partition is fenced for damage.
func storage(p *broker.Partition) error {
	if p.Log.Fenced() != nil {
		return kerr.KafkaStorageError
	}
	return nil
}
