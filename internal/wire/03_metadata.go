package wire

import (
	"slices"

	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
)

// Metadata: v0-13
//
// Behaviour:
//   - One broker, at the address of the listener that the client came by; it is
//     the controller and leads every partition. LEADER_NOT_AVAILABLE is never
//     answered: a topic that can be seen can be used.
//   - Topics that do not exist are made with the broker's defaults, where
//     auto.create.topics.enable and the request allow it. Names that are not
//     valid answer INVALID_TOPIC_EXCEPTION, unknown ones
//     UNKNOWN_TOPIC_OR_PARTITION, unknown ids UNKNOWN_TOPIC_ID.
//   - A partition that is fenced for damage has no leader and an offline replica, as
//     one of an offline log directory has in Kafka, and the error that says why,
//     KAFKA_STORAGE_ERROR: clients ask again, and go on with the other partitions.
//   - A topic asked for twice is answered once.
//
// Versions:
//   - v0: no topics means all; from v1 on null does, and none means none
//   - v0-3: topics are made without being asked to
//   - v4: the client says whether topics may be made
//   - v7: leader epochs (KIP-320)
//   - v8: authorized operations (KIP-430); the cluster's only to v10
//   - v10: topic ids in answers, v12 in requests (KIP-516)
//   - v13: an error for the whole answer (KIP-1102), never needed here
func (a *api) metadata(r *Request, req *kmsg.MetadataRequest) Reply {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	resp.ClusterID = &a.node.clusterID
	resp.ControllerID = a.node.id
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Rack = a.node.id, a.rack()
	b.Host, b.Port = r.Peer.Listener.Advertised()
	resp.Brokers = append(resp.Brokers, b)
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range a.broker.Catalog.Snapshot().Topics() {
			resp.Topics = append(resp.Topics, a.describeTopic(t))
		}
	} else {
		resp.Topics = a.metadataOf(r, req)
	}
	if req.IncludeTopicAuthorizedOperations {
		for i := range resp.Topics {
			if resp.Topics[i].ErrorCode != kerr.UnknownTopicID.Code {
				resp.Topics[i].AuthorizedOperations = topicOperations
			}
		}
	}
	return answer(resp)
}

// metadataOf answers for the topics that a request names.
func (a *api) metadataOf(r *Request, req *kmsg.MetadataRequest) []kmsg.MetadataResponseTopic {
	failed := a.autoCreate(r, req)
	s := a.broker.Catalog.Snapshot()
	var out []kmsg.MetadataResponseTopic
	type asked struct {
		name string
		id   kafka.UUID
	}
	seen := map[asked]bool{}
	for _, rt := range req.Topics {
		var name string
		if rt.Topic != nil {
			name = *rt.Topic
		}
		id := kafka.UUID(rt.TopicID)
		if seen[asked{name, id}] {
			continue
		}
		seen[asked{name, id}] = true
		var t *catalog.Topic
		var err error
		switch {
		case req.Version < 12 && (rt.Topic == nil || !id.IsZero()):
			err = kerr.InvalidRequest // KIP-516: ids only from v12 on
		case !id.IsZero():
			if t = s.TopicByID(id); t == nil {
				err = kerr.UnknownTopicID
			}
		default:
			if t = s.Topic(name); t == nil {
				err = notThere(name, failed)
			}
		}
		if t != nil {
			out = append(out, a.describeTopic(t))
			continue
		}
		mt := kmsg.NewMetadataResponseTopic()
		mt.ErrorCode, mt.TopicID = a.code(r, err), id
		if id.IsZero() || req.Version < 12 {
			mt.Topic = &name
		}
		out = append(out, mt)
	}
	return out
}

// autoCreate makes the topics that a request may make, and returns why one could
// not be made, by name.
func (a *api) autoCreate(r *Request, req *kmsg.MetadataRequest) map[string]error {
	s := a.broker.Catalog.Snapshot()
	if !(req.AllowAutoTopicCreation || req.Version < 4) || !s.Bool("auto.create.topics.enable") {
		return nil
	}
	var names []string
	for _, rt := range req.Topics {
		if rt.Topic == nil || rt.TopicID != [16]byte{} || s.Topic(*rt.Topic) != nil || slices.Contains(names, *rt.Topic) {
			continue
		}
		names = append(names, *rt.Topic)
	}
	if len(names) == 0 {
		return nil
	}
	failed := a.broker.AutoCreate(r.Ctx, names, r.charge.Mutations(true))
	for name, err := range failed {
		if errors.Is(err, kerr.ThrottlingQuotaExceeded) {
			failed[name] = kerr.UnknownTopicOrPartition // the client asks again
		}
	}
	return failed
}

// notThere is why a topic cannot be described.
func notThere(name string, failed map[string]error) error {
	if err := failed[name]; err != nil {
		return err
	}
	if err := catalog.CheckTopicName(name); err != nil {
		return err
	}
	return kerr.UnknownTopicOrPartition
}

func (a *api) describeTopic(t *catalog.Topic) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID, mt.IsInternal = &t.Name, t.ID, t.Internal()
	self := []int32{a.node.id}
	mt.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions)
	for i := range mt.Partitions {
		p := &mt.Partitions[i]
		p.Default()
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), a.node.id, a.broker.Epoch
		p.Replicas, p.ISR, p.OfflineReplicas = self, self, []int32{}
		if a.broker.Fenced(t.ID, p.Partition) {
			p.ErrorCode, p.Leader, p.ISR, p.OfflineReplicas = kerr.KafkaStorageError.Code, noLeader, []int32{}, self
		}
	}
	return mt
}

// noLeader stands for the leader of a partition that has none.
const noLeader = -1

func (a *api) rack() *string {
	if rack := a.broker.Catalog.Snapshot().Text("broker.rack"); rack != "" {
		return &rack
	}
	return nil
}

// operations is KIP-430's bit field.
func operations(ops ...kmsg.ACLOperation) int32 {
	var bits int32
	for _, op := range ops {
		bits |= 1 << op
	}
	return bits
}

// What everybody may do, as long as there are no ACLs: all that makes sense for
// the resource.
var (
	topicOperations = operations(kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationCreate, kmsg.ACLOperationDelete,
		kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs)
	clusterOperations = operations(kmsg.ACLOperationCreate, kmsg.ACLOperationClusterAction, kmsg.ACLOperationDescribeConfigs,
		kmsg.ACLOperationAlterConfigs, kmsg.ACLOperationIdempotentWrite, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe)
	groupOperations = operations(kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete, kmsg.ACLOperationDescribeConfigs,
		kmsg.ACLOperationAlterConfigs)
)
