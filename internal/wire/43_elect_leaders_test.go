package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Reference 9.12: ELECTION_NOT_NEEDED, for what is there.
func TestElectLeaders(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"num.partitions": "2"})
	c := b.dial()
	b.makeTopics(c, "a", "b")
	versions(t, 43, func(t *testing.T, version int16) {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{0, 1, 2, -1}}, {Topic: "nosuch", Partitions: []int32{0}}}
		expect(t, "some", elected(ask[*kmsg.ElectLeadersResponse](c, req, version)),
			"ok a/0 ELECTION_NOT_NEEDED a/1 ELECTION_NOT_NEEDED a/2 UNKNOWN_TOPIC_OR_PARTITION a/-1 UNKNOWN_TOPIC_OR_PARTITION nosuch/0 UNKNOWN_TOPIC_OR_PARTITION")
		req.ElectionType = 3
		want := "INVALID_REQUEST a/0 INVALID_REQUEST a/1 INVALID_REQUEST a/2 INVALID_REQUEST a/-1 INVALID_REQUEST nosuch/0 INVALID_REQUEST"
		if version == 0 { // it has no kinds
			want = "ok a/0 ELECTION_NOT_NEEDED a/1 ELECTION_NOT_NEEDED a/2 UNKNOWN_TOPIC_OR_PARTITION a/-1 UNKNOWN_TOPIC_OR_PARTITION nosuch/0 UNKNOWN_TOPIC_OR_PARTITION"
		}
		expect(t, "an unknown kind", elected(ask[*kmsg.ElectLeadersResponse](c, req, version)), want)
		req = kmsg.NewPtrElectLeadersRequest()
		expect(t, "all", elected(ask[*kmsg.ElectLeadersResponse](c, req, version)), "ok a b")
		req.Topics = []kmsg.ElectLeadersRequestTopic{}
		expect(t, "none", elected(ask[*kmsg.ElectLeadersResponse](c, req, version)), "ok")
	})
}

func elected(resp *kmsg.ElectLeadersResponse) string {
	out := []string{says(resp.ErrorCode, nil)}
	for _, rt := range resp.Topics {
		if len(rt.Partitions) == 0 {
			out = append(out, rt.Topic)
		}
		for _, p := range rt.Partitions {
			out = append(out, fmt.Sprintf("%s/%d %s", rt.Topic, p.Partition, says(p.ErrorCode, nil)))
		}
	}
	return strings.Join(out, " ")
}
