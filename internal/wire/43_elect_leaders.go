package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
)

// Kinds of elections: of the first replica, or of one that may lack records.
const (
	electPreferred = 0
	electUnclean   = 1
)

// ElectLeaders: v0-2
//
// Behaviour:
//   - Every partition has its one possible leader: ELECTION_NOT_NEEDED.
//   - Asked about all (null topics), the answer has the topics without their
//     partitions: Kafka tells of those only where something was to be done, and
//     its tools read it like that.
//
// Versions:
//   - v1: the kind of election, an error for the whole answer (KIP-460)
//   - v2: flexible
func (a *api) electLeaders(r *Request, req *kmsg.ElectLeadersRequest) Reply {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	s := a.broker.Catalog.Snapshot()
	var unknown error
	if req.Version >= 1 && req.ElectionType != electPreferred && req.ElectionType != electUnclean {
		unknown = catalog.Refuse(kerr.InvalidRequest, "Unknown election type %d; 0 elects the preferred leader, 1 any replica", req.ElectionType)
	}
	if req.Topics == nil {
		if resp.ErrorCode = a.code(r, unknown); unknown != nil {
			return answer(resp)
		}
		for _, t := range s.Topics() {
			out := kmsg.NewElectLeadersResponseTopic()
			out.Topic = t.Name
			resp.Topics = append(resp.Topics, out)
		}
		return answer(resp)
	}
	for _, rt := range req.Topics {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = rt.Topic
		t := s.Topic(rt.Topic)
		for _, index := range rt.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = index
			var err error = kerr.ElectionNotNeeded
			switch {
			case unknown != nil:
				err = unknown
				resp.ErrorCode = a.code(r, unknown)
			case t == nil:
				err = catalog.Refuse(kerr.UnknownTopicOrPartition, "No such topic as %s", rt.Topic)
			case index < 0 || index >= t.Partitions:
				err = catalog.Refuse(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", rt.Topic, index)
			}
			p.ErrorCode, p.ErrorMessage = a.code(r, err), explain(err)
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return answer(resp)
}
