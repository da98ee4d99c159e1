package wire

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
)

// Gotcha §9.13: the coordinator is this node, under the address that clients of
// this listener are told. Finding it makes the groups' topic.
func TestFindCoordinator(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	if b.broker.Catalog.Snapshot().Topic(broker.OffsetsTopic) != nil {
		t.Fatal("the topic is there before anybody asked")
	}
	c := b.dial()
	versions(t, 10, func(t *testing.T, version int16) {
		c.t = t
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = "g", []string{"g", "h", ""}
		res := ask[*kmsg.FindCoordinatorResponse](c, req, version)
		if version < 4 {
			if res.ErrorCode != 0 || res.NodeID != 1 || res.Host != "leat.memory" || res.Port != 9092 {
				t.Errorf("%+v", res)
			}
			return
		}
		if len(res.Coordinators) != 3 {
			t.Fatalf("%+v", res)
		}
		for i, co := range res.Coordinators {
			if co.Key != req.CoordinatorKeys[i] || co.ErrorCode != 0 || co.NodeID != 1 || co.Host != "leat.memory" || co.Port != 9092 {
				t.Errorf("%+v", co)
			}
		}
	})
	if b.broker.Catalog.Snapshot().Topic(broker.OffsetsTopic) == nil {
		t.Error("the groups' topic was not made")
	}
}

// Kinds that there are not get an error that clients do not retry. A transactional id
// has its coordinator here.
func TestFindCoordinatorOfWhatIsNotServed(t *testing.T) {
	t.Parallel()
	b := newGroupBench(t)
	c := b.dial()
	for _, q := range []struct {
		version int16
		kind    int8
		says    string
	}{{2, 1, ""}, {6, 1, ""}, {6, 2, ""}, {5, 2, "no such kind"}, {6, 9, "no such kind"}} {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = q.kind, "x", []string{"x"}
		res := ask[*kmsg.FindCoordinatorResponse](c, req, q.version)
		code, message, node := res.ErrorCode, res.ErrorMessage, res.NodeID
		if q.version >= 4 {
			code, message, node = res.Coordinators[0].ErrorCode, res.Coordinators[0].ErrorMessage, res.Coordinators[0].NodeID
		}
		if q.kind == coordinatorTransaction {
			if code != 0 || node != 1 {
				t.Errorf("v%d: %s, node %d", q.version, name(code), node)
			}
			continue
		}
		mustCode(t, "find", code, kerr.InvalidRequest)
		if message == nil || !strings.Contains(*message, q.says) || node != -1 {
			t.Errorf("v%d, kind %d: %q, node %d", q.version, q.kind, deref(message), node)
		}
	}
}
