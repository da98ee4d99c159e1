package wire

import (
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
)

const (
	keyProduce          = 0
	keyApiVersions      = 18
	keyWriteTxnMarkers  = 27
	keyShareFetch       = 78
	keyShareAcknowledge = 79
)

// api is what the handlers stand on. Fetch sessions are its only state: all else
// that it knows is the broker's.
type api struct {
	node   node
	broker *broker.Broker
	// sessions are the fetch sessions of all connections.
	sessions      fetchSessions
	fetchMaxBytes int                // fetch.max.bytes
	served        []kafka.APIVersion // the rows that have a handler
	log           *slog.Logger
}

// node is the broker's identity.
type node struct {
	id        int32
	clusterID string
}

// handler answers one request. The request's type is that of its key.
type handler func(a *api, r *Request, req kmsg.Request) Reply

// on makes a handler of a method.
func on[Q kmsg.Request](fn func(*api, *Request, Q) Reply) handler {
	return func(a *api, r *Request, req kmsg.Request) Reply { return fn(a, r, req.(Q)) }
}

// handlers is the list of what this broker speaks: ApiVersions advertises exactly
// these keys.
var handlers = map[int16]handler{
	0:  on((*api).produce),
	1:  on((*api).fetch),
	2:  on((*api).listOffsets),
	3:  on((*api).metadata),
	8:  on((*api).offsetCommit),
	9:  on((*api).offsetFetch),
	10: on((*api).findCoordinator),
	11: on((*api).joinGroup),
	12: on((*api).heartbeat),
	13: on((*api).leaveGroup),
	14: on((*api).syncGroup),
	15: on((*api).describeGroups),
	16: on((*api).listGroups),
	18: on((*api).apiVersions),
	19: on((*api).createTopics),
	20: on((*api).deleteTopics),
	21: on((*api).deleteRecords),
	22: on((*api).initProducerID),
	24: on((*api).addPartitionsToTxn),
	25: on((*api).addOffsetsToTxn),
	26: on((*api).endTxn),
	27: on((*api).writeTxnMarkers),
	28: on((*api).txnOffsetCommit),
	61: on((*api).describeProducers),
	65: on((*api).describeTransactions),
	66: on((*api).listTransactions),
	23: on((*api).offsetForLeaderEpoch),
	32: on((*api).describeConfigs),
	33: on((*api).alterConfigs),
	35: on((*api).describeLogDirs),
	37: on((*api).createPartitions),
	42: on((*api).deleteGroups),
	43: on((*api).electLeaders),
	44: on((*api).incrementalAlterConfigs),
	45: on((*api).alterPartitionReassignments),
	46: on((*api).listPartitionReassignments),
	47: on((*api).offsetDelete),
	48: on((*api).describeClientQuotas),
	49: on((*api).alterClientQuotas),
	55: on((*api).describeQuorum),
	57: on((*api).updateFeatures),
	60: on((*api).describeCluster),
	64: on((*api).unregisterBroker),
	68: on((*api).consumerGroupHeartbeat),
	69: on((*api).consumerGroupDescribe),
	74: on((*api).listConfigResources),
	75: on((*api).describeTopicPartitions),
	76: on((*api).shareGroupHeartbeat),
	77: on((*api).shareGroupDescribe),
	78: on((*api).shareFetch),
	79: on((*api).shareAcknowledge),
	90: on((*api).describeShareGroupOffsets),
	91: on((*api).alterShareGroupOffsets),
	92: on((*api).deleteShareGroupOffsets),
}

// servedVersions are the rows of the version table that have a handler.
func servedVersions(handlers map[int16]handler) []kafka.APIVersion {
	var rows []kafka.APIVersion
	for _, v := range kafka.Versions {
		if _, ok := handlers[v.Key]; ok {
			rows = append(rows, v)
		}
	}
	return rows
}

// code is the protocol's number for err: 0 for nil, a kerr's own, else
// UNKNOWN_SERVER_ERROR, with the error in the log since no client can show it.
func (a *api) code(r *Request, err error) int16 {
	if err == nil {
		return 0
	}
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Code
	}
	a.log.Error("request failed inside", "api", kmsg.NameForKey(r.Key), "version", r.Version,
		"peer", r.Peer.Addr, "client", r.ClientID, "err", err)
	return kerr.UnknownServerError.Code
}

// explain is the sentence for an answer's error message: a Refusal's own, else
// the error's meaning in general; nil for no error.
func explain(err error) *string {
	if err == nil {
		return nil
	}
	var refused *catalog.Refusal
	if errors.As(err, &refused) {
		return &refused.Message
	}
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return &ke.Description
	}
	return &kerr.UnknownServerError.Description
}
