package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
)

// CreateTopics: v2-7
//
// Behaviour:
//   - A topic that is answered without error is on disk and can be used at once.
//     Each topic of a request stands for itself.
//   - The replication factor is 1 or -1, the partitions a number or -1 for
//     num.partitions; an assignment names node 1 alone.
//   - validateOnly checks all of it and makes nothing; the answer has no id.
//   - A name asked for twice answers INVALID_REQUEST, once.
//
// Versions:
//   - v4: -1 for the defaults (KIP-464); taken in earlier versions, too
//   - v5: partitions, replication factor and all configs in the answer
//     (KIP-525); flexible
//   - v6: beyond controller_mutation_rate a topic is refused with
//     THROTTLING_QUOTA_EXCEEDED (KIP-599); before, the client waits afterwards
//   - v7: topic ids (KIP-516)
func (a *api) createTopics(r *Request, req *kmsg.CreateTopicsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	times := map[string]int{}
	for i := range req.Topics {
		times[req.Topics[i].Topic]++
	}
	var asked []broker.NewTopic
	var at []int // the place in resp.Topics of each
	for i := range req.Topics {
		rt := &req.Topics[i]
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.Configs = rt.Topic, []kmsg.CreateTopicsResponseTopicConfig{} // null would mean: may not be told
		if times[rt.Topic] == 0 {
			continue // answered before
		}
		n, err := newTopic(rt)
		if times[rt.Topic] > 1 {
			times[rt.Topic] = 0
			err = catalog.Refuse(kerr.InvalidRequest, "Duplicate topic name.")
		}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		} else {
			asked, at = append(asked, n), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	bill := r.charge.Mutations(req.Version >= 6)
	for i, c := range a.broker.CreateTopics(r.Ctx, asked, req.ValidateOnly, bill) {
		out := &resp.Topics[at[i]]
		if c.Err != nil {
			out.ErrorCode, out.ErrorMessage = a.code(r, c.Err), explain(c.Err)
			continue
		}
		out.TopicID, out.NumPartitions, out.ReplicationFactor = c.Topic.ID, c.Topic.Partitions, 1
		out.Configs = a.createdConfigs(c.Topic)
	}
	resp.SetThrottle(waitMillis(bill.Wait()))
	return answer(resp)
}

func newTopic(rt *kmsg.CreateTopicsRequestTopic) (broker.NewTopic, error) {
	n := broker.NewTopic{Name: rt.Topic, Partitions: rt.NumPartitions, ReplicationFactor: rt.ReplicationFactor}
	if len(rt.ReplicaAssignment) > 0 {
		n.Assignment = map[int32][]int32{}
		for _, p := range rt.ReplicaAssignment {
			if _, twice := n.Assignment[p.Partition]; twice {
				return n, catalog.Refuse(kerr.InvalidReplicaAssignment, "Found multiple assignments for partition %d", p.Partition)
			}
			n.Assignment[p.Partition] = p.Replicas
		}
	}
	for _, c := range rt.Configs {
		if c.Value == nil {
			return n, catalog.Refuse(kerr.InvalidConfig, "Null value not supported for topic configs: %s", c.Name)
		}
		if n.Configs == nil {
			n.Configs = map[string]string{}
		}
		n.Configs[c.Name] = *c.Value
	}
	return n, nil
}

// createdConfigs are all configs of a topic as they are in effect.
func (a *api) createdConfigs(t *catalog.Topic) []kmsg.CreateTopicsResponseTopicConfig {
	s := a.broker.Catalog.Snapshot()
	var out []kmsg.CreateTopicsResponseTopicConfig
	for d := range catalog.TopicDefs() {
		e := s.TopicEntry(t.Configs, d)
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source, c.IsSensitive = d.Name, e.Value, int8(e.Source), d.Sensitive()
		out = append(out, c)
	}
	return out
}
