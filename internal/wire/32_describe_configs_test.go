package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describe returns a resource's configs as text, one a line.
func describe(c *client, version int16, kind kmsg.ConfigResourceType, name string, names ...string) string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = true
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName, rr.ConfigNames = kind, name, names
	req.Resources = append(req.Resources, rr)
	res := ask[*kmsg.DescribeConfigsResponse](c, req, version).Resources[0]
	if res.ErrorCode != 0 {
		return says(res.ErrorCode, res.ErrorMessage)
	}
	show := func(v *string) string {
		if v == nil {
			return "null"
		}
		return *v
	}
	var lines []string
	for _, cfg := range res.Configs {
		s := fmt.Sprintf("%s=%s %s", cfg.Name, show(cfg.Value), cfg.Source)
		if cfg.ReadOnly {
			s += " read-only"
		}
		if version >= 3 {
			s += " " + cfg.ConfigType.String()
		}
		for _, syn := range cfg.ConfigSynonyms {
			s += fmt.Sprintf(" [%s=%s %s]", syn.Name, show(syn.Value), syn.Source)
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

// Sources and synonyms as Kafka 4.3.1 answers them.
func TestDescribeConfigs(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"num.partitions": "1", "message.max.bytes": "3000000"})
	c := b.dial()
	b.makeTopics(c, "t")
	expect(t, "set", edit(c, 1, ofTopic, "t", false, change{"segment.ms", 0, "100000"}), "ok")
	expect(t, "broker", edit(c, 1, ofBroker, "1", false, change{"log.segment.bytes", 0, "9000000"}), "ok")
	expect(t, "cluster", edit(c, 1, ofBroker, "", false, change{"log.segment.bytes", 0, "8000000"}), "ok")
	versions(t, 32, func(t *testing.T, version int16) {
		types := func(s string) string {
			if version >= 3 {
				return s
			}
			return ""
		}
		expect(t, "topic", describe(c, version, ofTopic, "t", "segment.bytes", "nope", "max.message.bytes", "segment.ms", "remote.storage.enable"), strings.Join([]string{
			"max.message.bytes=3000000 STATIC_BROKER_CONFIG" + types(" INT") + " [message.max.bytes=3000000 STATIC_BROKER_CONFIG] [message.max.bytes=1048588 DEFAULT_CONFIG]",
			"remote.storage.enable=false DEFAULT_CONFIG" + types(" BOOLEAN"),
			"segment.bytes=9000000 DYNAMIC_BROKER_CONFIG" + types(" INT") + " [log.segment.bytes=9000000 DYNAMIC_BROKER_CONFIG] [log.segment.bytes=8000000 DYNAMIC_DEFAULT_BROKER_CONFIG] [log.segment.bytes=1073741824 DEFAULT_CONFIG]",
			"segment.ms=100000 DYNAMIC_TOPIC_CONFIG" + types(" LONG") + " [segment.ms=100000 DYNAMIC_TOPIC_CONFIG] [log.roll.hours=168 DEFAULT_CONFIG]",
		}, "\n"))
		expect(t, "broker", describe(c, version, ofBroker, "1", "num.partitions", "node.id", "log.retention.ms"), strings.Join([]string{
			"log.retention.ms=null DEFAULT_CONFIG" + types(" LONG"),
			"node.id=1 STATIC_BROKER_CONFIG read-only" + types(" INT") + " [node.id=1 STATIC_BROKER_CONFIG]",
			"num.partitions=1 STATIC_BROKER_CONFIG read-only" + types(" INT") + " [num.partitions=1 STATIC_BROKER_CONFIG] [num.partitions=1 DEFAULT_CONFIG]",
		}, "\n"))
		expect(t, "cluster", describe(c, version, ofBroker, ""), "log.segment.bytes=8000000 DYNAMIC_DEFAULT_BROKER_CONFIG"+types(" INT")+" [log.segment.bytes=8000000 DYNAMIC_DEFAULT_BROKER_CONFIG]")
		if n := strings.Count(describe(c, version, ofTopic, "t"), "\n") + 1; n != 34 {
			t.Errorf("a topic has %d configs, Kafka 4.4's has 34", n)
		}
		expect(t, "no topic", describe(c, version, ofTopic, "nosuch"), "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.")
		expect(t, "bad topic", describe(c, version, ofTopic, ""), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the empty string is not allowed")
		expect(t, "other broker", describe(c, version, ofBroker, "9"), "INVALID_REQUEST: Unexpected broker id, expected 1 or empty string, but received 9")
		expect(t, "no broker", describe(c, version, ofBroker, "x"), "INVALID_REQUEST: Node id must be an integer, but it is: x")
		if got := describe(c, version, 5, "x"); !strings.HasPrefix(got, "INVALID_REQUEST: Unknown resource type 5") {
			t.Error(got)
		}
	})
}

func TestDescribeConfigsDocumentation(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	for _, include := range []bool{true, false} {
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.IncludeDocumentation = include
		rr := kmsg.NewDescribeConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = ofBroker, "1"
		req.Resources = append(req.Resources, rr)
		for _, cfg := range ask[*kmsg.DescribeConfigsResponse](c, req, 4).Resources[0].Configs {
			if has := cfg.Documentation != nil && *cfg.Documentation != ""; has != include {
				t.Errorf("%s: documentation %v", cfg.Name, cfg.Documentation)
			}
			if len(cfg.ConfigSynonyms) != 0 {
				t.Errorf("%s has synonyms that nobody asked for", cfg.Name)
			}
		}
	}
}
