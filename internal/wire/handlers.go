package wire

import (
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
)

const (
	keyProduce     = 0
	keyApiVersions = 18
)

// api is what the handlers stand on. Fetch sessions are its only state: all else
// that it knows is the broker's.
type api struct {
	node   Node
	broker *broker.Broker
	// sessions are the fetch sessions of all connections.
	sessions fetchSessions
	served   []kafka.APIVersion // the rows that have a handler
	log      *slog.Logger
}

// Node is what the broker says about itself. A Leat cluster has one node.
type Node struct {
	// ID is the node id, 1 unless configured.
	ID int32
	// ClusterID is kept in the data directory.
	ClusterID string
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
	21: on((*api).deleteRecords),
	22: on((*api).initProducerID),
	23: on((*api).offsetForLeaderEpoch),
	18: on((*api).apiVersions),
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
