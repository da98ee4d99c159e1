package wire

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// replace sends an AlterConfigs and returns what the answer says.
func replace(c *client, version int16, kind kmsg.ConfigResourceType, name string, changes ...change) string {
	c.t.Helper()
	req := kmsg.NewPtrAlterConfigsRequest()
	rr := kmsg.NewAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kind, name
	for _, ch := range changes {
		cfg := kmsg.NewAlterConfigsRequestResourceConfig()
		cfg.Name, cfg.Value = ch.name, ch.ptr()
		rr.Configs = append(rr.Configs, cfg)
	}
	req.Resources = append(req.Resources, rr)
	res := ask[*kmsg.AlterConfigsResponse](c, req, version).Resources[0]
	return says(res.ErrorCode, res.ErrorMessage)
}

func TestAlterConfigsReplaces(t *testing.T) {
	t.Parallel()
	versions(t, 33, func(t *testing.T, version int16) {
		b := newAdminBench(t, nil)
		c := b.dial()
		b.makeTopics(c, "t")
		own := func() string { return fmt.Sprint(b.broker.Catalog.Snapshot().Topic("t").Configs) }
		expect(t, "first", replace(c, version, ofTopic, "t", change{name: "retention.ms", value: "5"}, change{name: "segment.ms", value: "7"}), "ok")
		expect(t, "first", own(), "map[retention.ms:5 segment.ms:7]")
		expect(t, "second", replace(c, version, ofTopic, "t", change{name: "segment.ms", value: "8"}), "ok")
		expect(t, "second", own(), "map[segment.ms:8]")
		expect(t, "null", replace(c, version, ofTopic, "t", change{name: "segment.ms", value: "<null>"}), "INVALID_REQUEST: Null value not supported for : segment.ms")
		expect(t, "unknown", replace(c, version, ofTopic, "t", change{name: "nope", value: "1"}), "INVALID_CONFIG: Unknown topic config name: nope")
		expect(t, "twice", replace(c, version, ofTopic, "t", change{name: "segment.ms", value: "1"}, change{name: "segment.ms", value: "2"}), "INVALID_REQUEST: Error due to duplicate config keys")
		expect(t, "no topic", replace(c, version, ofTopic, "nosuch"), "UNKNOWN_TOPIC_OR_PARTITION: The topic 'nosuch' does not exist.")
		expect(t, "after refusals", own(), "map[segment.ms:8]")
		expect(t, "cluster", replace(c, version, ofBroker, "", change{name: "log.retention.bytes", value: "9"}), "ok")
		expect(t, "cluster", describe(c, 4, ofBroker, "", "log.retention.bytes"), "log.retention.bytes=9 DYNAMIC_DEFAULT_BROKER_CONFIG LONG [log.retention.bytes=9 DYNAMIC_DEFAULT_BROKER_CONFIG]")
		expect(t, "cluster empty", replace(c, version, ofBroker, ""), "ok")
		expect(t, "cluster empty", describe(c, 4, ofBroker, ""), "")
		expect(t, "none", replace(c, version, ofTopic, "t"), "ok")
		expect(t, "none", own(), "map[]")
	})
}

// One resource twice in a request: neither is carried out.
func TestAlterConfigsTwice(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "t")
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	for _, value := range []string{"1", "2"} {
		rr := kmsg.NewIncrementalAlterConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = ofTopic, "t"
		cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		cfg.Name, cfg.Value = "retention.ms", &value
		rr.Configs = append(rr.Configs, cfg)
		req.Resources = append(req.Resources, rr)
	}
	for _, res := range ask[*kmsg.IncrementalAlterConfigsResponse](c, req, 1).Resources {
		expect(t, "twice", says(res.ErrorCode, res.ErrorMessage), "INVALID_REQUEST: Each resource must appear at most once.")
	}
	expect(t, "twice", fmt.Sprint(b.broker.Catalog.Snapshot().Topic("t").Configs), "map[]")
}
