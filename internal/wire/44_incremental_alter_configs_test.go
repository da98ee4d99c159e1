package wire

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// change is one change for IncrementalAlterConfigs.
type change struct {
	name  string
	op    kmsg.IncrementalAlterConfigOp
	value string // "<null>" for null
}

func (ch change) ptr() *string {
	if ch.value == "<null>" {
		return nil
	}
	return &ch.value
}

// edit sends changes and returns what the answer says.
func edit(c *client, version int16, kind kmsg.ConfigResourceType, name string, validateOnly bool, changes ...change) string {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = validateOnly
	rr := kmsg.NewIncrementalAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kind, name
	for _, ch := range changes {
		cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		cfg.Name, cfg.Op, cfg.Value = ch.name, ch.op, ch.ptr()
		rr.Configs = append(rr.Configs, cfg)
	}
	req.Resources = append(req.Resources, rr)
	res := ask[*kmsg.IncrementalAlterConfigsResponse](c, req, version).Resources[0]
	if res.ResourceName != name || res.ResourceType != kind {
		c.t.Errorf("answer is about %v %q", res.ResourceType, res.ResourceName)
	}
	return says(res.ErrorCode, res.ErrorMessage)
}

// KIP-339, with the answers of Kafka 4.3.1.
func TestIncrementalAlterConfigs(t *testing.T) {
	t.Parallel()
	const set, del, add, sub = 0, 1, 2, 3
	versions(t, 44, func(t *testing.T, version int16) {
		b := newAdminBench(t, nil)
		c := b.dial()
		b.makeTopics(c, "t")
		own := func() string { return fmt.Sprint(b.broker.Catalog.Snapshot().Topic("t").Configs) }
		for _, x := range []struct {
			changes []change
			says    string
			own     string
		}{
			{[]change{{"retention.ms", set, "5000"}}, "ok", "map[retention.ms:5000]"},
			{[]change{{"cleanup.policy", add, "compact"}, {"retention.ms", del, "<null>"}}, "ok", "map[cleanup.policy:delete,compact]"},
			{[]change{{"cleanup.policy", add, "compact"}}, "ok", "map[cleanup.policy:delete,compact]"},
			{[]change{{"cleanup.policy", sub, "delete"}}, "ok", "map[cleanup.policy:compact]"},
			{[]change{{"nope", del, "<null>"}}, "ok", "map[cleanup.policy:compact]"},
			{[]change{{"retention.ms", add, "1"}}, "INVALID_CONFIG: Can't APPEND to key retention.ms because its type is not LIST.", "map[cleanup.policy:compact]"},
			{[]change{{"retention.ms", set, "<null>"}}, "INVALID_REQUEST: Null value not supported for : retention.ms", "map[cleanup.policy:compact]"},
			{[]change{{"nope", set, "1"}}, "INVALID_CONFIG: Unknown topic config name: nope", "map[cleanup.policy:compact]"},
			{[]change{{"segment.ms", set, "1"}, {"retention.ms", set, "x"}}, "INVALID_CONFIG: Invalid value x for configuration retention.ms: Not a number of type LONG", "map[cleanup.policy:compact]"},
			{[]change{{"retention.ms", set, "1"}, {"retention.ms", set, "2"}}, "INVALID_REQUEST: Error due to duplicate config keys", "map[cleanup.policy:compact]"},
			{[]change{{"cleanup.policy", del, "<null>"}}, "ok", "map[]"},
		} {
			expect(t, fmt.Sprint(x.changes), edit(c, version, ofTopic, "t", false, x.changes...), x.says)
			expect(t, fmt.Sprint(x.changes), own(), x.own)
		}
		expect(t, "validate only", edit(c, version, ofTopic, "t", true, change{"retention.ms", set, "77"}), "ok")
		expect(t, "validate only", own(), "map[]")
		expect(t, "no topic", edit(c, version, ofTopic, "nosuch", false, change{"retention.ms", set, "1"}), "UNKNOWN_TOPIC_OR_PARTITION: The topic 'nosuch' does not exist.")
		expect(t, "all topics", edit(c, version, ofTopic, "", false, change{"retention.ms", set, "1"}), "INVALID_REQUEST: Default topic resources are not allowed.")
		expect(t, "fixed", edit(c, version, ofBroker, "1", false, change{"num.partitions", set, "3"}), "INVALID_REQUEST: Cannot update these configs dynamically: [num.partitions]")
		expect(t, "broker", edit(c, version, ofBroker, "1", false, change{"log.cleanup.policy", add, "compact"}), "ok")
		if v := b.broker.Partition("t", 0).View(); !v.Log.Compact || !v.Log.Delete {
			t.Errorf("the broker's policy does not reach the topic: %+v", v.Log)
		}
	})
}
