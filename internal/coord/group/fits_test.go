package group

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Names that requests can have and records cannot are refused: written all the same,
// they would make records that nobody can read.
func TestNamesThatDoNotFit(t *testing.T) {
	t.Parallel()
	long, most := strings.Repeat("x", 1<<15), strings.Repeat("x", 1<<15-1)
	w := newWorld()
	w.topics = testTopics{"orders": {topicIDOf("orders", 1), 1}}
	beat := func(group, member, regex string) *kerr.Error {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.RebalanceTimeoutMillis = 1, group, member, 1000
		req.SubscribedTopicRegex, req.Topics = &regex, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		eff := w.c.Step(w.now, ConsumerHeartbeat{"t", Client{"c", "h"}, req})
		if len(eff.Replies) > 0 {
			return kerr.TypedErrorForCode(eff.Replies[0].Answer.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode)
		}
		for _, wr := range eff.Writes {
			w.log = append(w.log, wr.Records...)
			w.c.Step(w.now, Appended{wr.ID, nil})
		}
		return nil
	}
	join := func(group, instance, kind, protocol string) *kerr.Error {
		req := joinOf(group, instance, kind, protocol)
		eff := w.c.Step(w.now, Join{"t", Client{"c", "h"}, req})
		if len(eff.Replies) > 0 {
			return kerr.TypedErrorForCode(eff.Replies[0].Answer.(*kmsg.JoinGroupResponse).ErrorCode)
		}
		return nil
	}
	for what, got := range map[string]*kerr.Error{
		"group":         beat(long, "m", "a"),
		"member":        beat("g1", long, "a"),
		"expression":    beat("g2", "m", long),
		"classic group": join(long, "i", "consumer", "range"),
		"instance":      join("g3", long, "consumer", "range"),
		"type":          join("g4", "i", long, "range"),
		"protocol":      join("g5", "i", "consumer", long),
	} {
		if got != kerr.InvalidRequest {
			t.Errorf("a %s that does not fit: %v", what, got)
		}
	}
	if err := beat(most, most, most[:500]); err != nil {
		t.Errorf("names that just fit: %v", err)
	}
	if len(w.c.groups) != 1 {
		t.Errorf("%d groups were made", len(w.c.groups))
	}
	var n Replayed
	again := newWorld().c
	for _, r := range w.log {
		if err := again.Replay(r, &n); err != nil {
			t.Error(err)
		}
	}
	if again.groups[most] == nil || len(again.groups[most].consumer().members) != 1 {
		t.Error("names that just fit do not come back")
	}
}

func joinOf(group, instance, kind, protocol string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.InstanceID, req.ProtocolType = 9, group, &instance, kind
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 10_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = protocol, subscribe([]string{"orders"})
	req.Protocols = append(req.Protocols, p)
	return req
}
