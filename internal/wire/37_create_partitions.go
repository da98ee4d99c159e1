package wire

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
)

// CreatePartitions: v0-3
//
// Behaviour:
//   - Count is the number of partitions in all; it can only grow.
//   - Every topic of the request is in the answer, with or without an error.
//   - An assignment names, for each new partition, node 1 alone.
//
// Versions:
//   - v2: flexible
//   - v3: beyond controller_mutation_rate a topic is refused with
//     THROTTLING_QUOTA_EXCEEDED (KIP-599); before, the client waits afterwards
func (a *api) createPartitions(r *Request, req *kmsg.CreatePartitionsRequest) Reply {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	times := map[string]int{}
	for i := range req.Topics {
		times[req.Topics[i].Topic]++
	}
	var asked []broker.MorePartitions
	var at []int // the place in resp.Topics of each
	for _, rt := range req.Topics {
		if times[rt.Topic] == 0 {
			continue // answered before
		}
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = rt.Topic
		if times[rt.Topic] > 1 {
			times[rt.Topic] = 0
			err := catalog.Refuse(kerr.InvalidRequest, "Duplicate topic name.")
			out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		} else {
			m := broker.MorePartitions{Topic: rt.Topic, Count: rt.Count}
			if rt.Assignment != nil {
				m.Assignment = [][]int32{} // one for no partition is not none
			}
			for _, p := range rt.Assignment {
				m.Assignment = append(m.Assignment, p.Replicas)
			}
			asked, at = append(asked, m), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	bill := r.charge.Mutations(req.Version >= 3)
	for i, err := range a.broker.CreatePartitions(r.Ctx, asked, req.ValidateOnly, bill) {
		if err != nil {
			out := &resp.Topics[at[i]]
			out.ErrorCode, out.ErrorMessage = a.code(r, err), explain(err)
		}
	}
	resp.SetThrottle(waitMillis(bill.Wait()))
	return answer(resp)
}
