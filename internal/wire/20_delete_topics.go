package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/kafka"
)

// DeleteTopics: v1-6
//
// Behaviour:
//   - A topic that is answered without error is gone, durably; who makes one of
//     that name again gets another id. Each topic of a request stands for itself.
//   - The topics of the broker's own state are not deleted.
//
// Versions:
//   - v5: error messages; beyond controller_mutation_rate a topic is refused with
//     THROTTLING_QUOTA_EXCEEDED (KIP-599); before, the client waits afterwards
//   - v6: by id, too (KIP-516): a name or an id, not both
func (a *api) deleteTopics(r *Request, req *kmsg.DeleteTopicsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for _, name := range req.TopicNames {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &name
		asked = append(asked, t)
	}
	s := a.broker.Catalog.Snapshot()
	times := map[topicRef]int{}
	for _, rt := range asked {
		times[refOf(rt)]++
	}
	var topics []*catalog.Topic
	var at []int // the place in resp.Topics of each
	for _, rt := range asked {
		ref := refOf(rt)
		if times[ref] == 0 {
			continue // answered before
		}
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = rt.Topic, rt.TopicID
		t, err := toDelete(s, rt)
		if times[ref] > 1 && ref != (topicRef{}) {
			times[ref] = 0
			err = catalog.Refuse(kerr.InvalidRequest, "Duplicate topic name or id.")
		}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		} else {
			out.Topic, out.TopicID = &t.Name, t.ID
			topics, at = append(topics, t), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	bill := r.charge.Mutations(req.Version >= 5)
	for i, err := range a.broker.DeleteTopics(topics, bill) {
		if err != nil {
			out := &resp.Topics[at[i]]
			out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		}
	}
	resp.SetThrottle(waitMillis(bill.Wait()))
	return answer(resp)
}

// topicRef is how a request calls a topic: by its name or by its id.
type topicRef struct {
	name string
	id   kafka.UUID
}

func refOf(rt kmsg.DeleteTopicsRequestTopic) topicRef {
	if rt.Topic != nil {
		return topicRef{name: *rt.Topic}
	}
	return topicRef{id: rt.TopicID}
}

func toDelete(s *catalog.Snapshot, rt kmsg.DeleteTopicsRequestTopic) (*catalog.Topic, error) {
	id := kafka.UUID(rt.TopicID)
	var t *catalog.Topic
	switch {
	case rt.Topic == nil && id.IsZero():
		return nil, catalog.Refuse(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	case rt.Topic != nil && !id.IsZero():
		return nil, catalog.Refuse(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	case rt.Topic != nil:
		if t = s.Topic(*rt.Topic); t == nil {
			return nil, kerr.UnknownTopicOrPartition
		}
	default:
		if t = s.TopicByID(id); t == nil {
			return nil, kerr.UnknownTopicID
		}
	}
	return t, nil
}
