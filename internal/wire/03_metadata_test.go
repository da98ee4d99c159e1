package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func metadataRequest(names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = &name
		req.Topics = append(req.Topics, rt)
	}
	return req
}

// topicCodes are the answers of a Metadata response by topic name.
func topicCodes(resp *kmsg.MetadataResponse) map[string]string {
	m := map[string]string{}
	for _, rt := range resp.Topics {
		name := "<null>"
		if rt.Topic != nil {
			name = *rt.Topic
		}
		m[name] += says(rt.ErrorCode, nil)
	}
	return m
}

func TestMetadataVersions(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, map[string]string{"num.partitions": "2", "broker.rack": "r1"})
	c := b.dial()
	b.makeTopics(c, "t")
	versions(t, 3, func(t *testing.T, version int16) {
		req := metadataRequest("t")
		req.IncludeTopicAuthorizedOperations, req.IncludeClusterAuthorizedOperations = true, true
		resp := ask[*kmsg.MetadataResponse](c, req, version)
		if len(resp.Brokers) != 1 || resp.Brokers[0].NodeID != 1 || resp.Brokers[0].Host != "leat.memory" || resp.Brokers[0].Port != 9092 {
			t.Errorf("brokers: %+v", resp.Brokers)
		}
		if version >= 1 && (resp.ControllerID != 1 || *resp.Brokers[0].Rack != "r1") {
			t.Errorf("controller %d, rack %v", resp.ControllerID, resp.Brokers[0].Rack)
		}
		if version >= 2 && *resp.ClusterID != b.broker.ClusterID {
			t.Errorf("cluster %s", *resp.ClusterID)
		}
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 2 {
			t.Fatalf("topics: %+v", resp.Topics)
		}
		rt := resp.Topics[0]
		id := b.broker.Catalog.Snapshot().Topic("t").ID
		if *rt.Topic != "t" || rt.ErrorCode != 0 || rt.IsInternal || version >= 10 && rt.TopicID != id {
			t.Errorf("topic: %+v", rt)
		}
		for i, p := range rt.Partitions {
			if p.Partition != int32(i) || p.ErrorCode != 0 || p.Leader != 1 || !slices.Equal(p.Replicas, []int32{1}) || !slices.Equal(p.ISR, []int32{1}) {
				t.Errorf("partition: %+v", p)
			}
			if version >= 7 && p.LeaderEpoch != b.broker.Epoch {
				t.Errorf("leader epoch %d", p.LeaderEpoch)
			}
		}
		// The bits that Kafka 4.3.1 answers without an authorizer.
		if version >= 8 && rt.AuthorizedOperations != 3576 || version >= 8 && version <= 10 && resp.AuthorizedOperations != 8096 {
			t.Errorf("operations: topic %d, cluster %d", rt.AuthorizedOperations, resp.AuthorizedOperations)
		}
	})
}

func TestMetadataAllAndNone(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "a", "b")
	versions(t, 3, func(t *testing.T, version int16) {
		all, none := metadataRequest(), metadataRequest()
		if all.Topics = nil; version == 0 {
			all.Topics = []kmsg.MetadataRequestTopic{}
		}
		if n := len(ask[*kmsg.MetadataResponse](c, all, version).Topics); n != 2 {
			t.Errorf("all are %d", n)
		}
		if n := len(ask[*kmsg.MetadataResponse](c, none, version).Topics); version > 0 && n != 0 {
			t.Errorf("none are %d", n)
		}
	})
}

// Reference, behaviour 2: v0 to v3 make topics without being asked to, from v4 on
// the request decides, and auto.create.topics.enable above it. Behaviour 3: names
// that are not valid answer INVALID_TOPIC_EXCEPTION, on auto-create too. Gotcha 8:
// never LEADER_NOT_AVAILABLE.
func TestMetadataAutoCreate(t *testing.T) {
	t.Parallel()
	for _, enabled := range []string{"true", "false"} {
		b := newAdminBench(t, map[string]string{"auto.create.topics.enable": enabled, "num.partitions": "3"})
		c := b.dial()
		b.makeTopics(c, "c.d")
		versions(t, 3, func(t *testing.T, version int16) {
			for _, allow := range []bool{true, false} {
				name := fmt.Sprintf("new-%d-%v", version, allow)
				req := metadataRequest(name, "c_d", "bad name", "c.d", name, "__consumer_offsets")
				req.AllowAutoTopicCreation = allow
				resp := ask[*kmsg.MetadataResponse](c, req, version)
				got := topicCodes(resp)
				want := map[string]string{name: "UNKNOWN_TOPIC_OR_PARTITION", "c_d": "UNKNOWN_TOPIC_OR_PARTITION",
					"bad name": "INVALID_TOPIC_EXCEPTION", "c.d": "ok", "__consumer_offsets": "UNKNOWN_TOPIC_OR_PARTITION"}
				if enabled == "true" && (allow || version < 4) {
					want[name], want["c_d"] = "ok", "INVALID_TOPIC_EXCEPTION"
					if n := len(resp.Topics[0].Partitions); n != 3 {
						t.Errorf("made with %d partitions", n)
					}
				}
				for name, w := range want {
					if got[name] != w {
						t.Errorf("enabled %s, allowed %v: %q answers %s, want %s", enabled, allow, name, got[name], w)
					}
				}
			}
		})
	}
}

// KIP-516: by id from v12 on; before, an id is refused.
func TestMetadataByID(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "t")
	id := b.broker.Catalog.Snapshot().Topic("t").ID
	for version := int16(10); version <= 13; version++ {
		req := kmsg.NewPtrMetadataRequest()
		known, unknown := kmsg.NewMetadataRequestTopic(), kmsg.NewMetadataRequestTopic()
		known.TopicID, unknown.TopicID = id, [16]byte{8}
		if version < 12 {
			known.Topic, unknown.Topic = kmsg.StringPtr(""), kmsg.StringPtr("")
		}
		req.Topics = append(req.Topics, known, unknown)
		resp := ask[*kmsg.MetadataResponse](c, req, version)
		if version < 12 {
			if resp.Topics[0].ErrorCode != kerr.InvalidRequest.Code || resp.Topics[1].ErrorCode != kerr.InvalidRequest.Code {
				t.Errorf("v%d: %+v", version, resp.Topics)
			}
			continue
		}
		first, second := resp.Topics[0], resp.Topics[1]
		if first.ErrorCode != 0 || *first.Topic != "t" || first.TopicID != id || len(first.Partitions) != 1 {
			t.Errorf("v%d: %+v", version, first)
		}
		if second.ErrorCode != kerr.UnknownTopicID.Code || second.Topic != nil || second.TopicID != [16]byte{8} {
			t.Errorf("v%d: %+v", version, second)
		}
	}
}

// librdkafka (2.15 and 2.16) asks for all topics with four zeros where the compact
// length of a null list is one: the three bytes that are left over at the end are
// ignored, as Kafka does. Otherwise list_topics() of every client on top of it fails.
func TestMetadataOfLibrdkafka(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "t")
	const topics, create, authorized, tags = "\x00\x00\x00\x00", "\x00", "\x00", "\x00"
	for version := int16(11); version <= 13; version++ {
		c.write(framed(append(head(3, version), topics+create+authorized+tags...)))
		corr, body := c.recv()
		resp := kmsg.NewPtrMetadataResponse()
		resp.SetVersion(version)
		if err := resp.ReadFrom(body[1:]); err != nil || corr != 7 { // after the header's tags
			t.Fatalf("v%d: answer to %d, %v", version, corr, err)
		}
		if len(resp.Topics) != 1 || *resp.Topics[0].Topic != "t" {
			t.Errorf("v%d: %+v, want all topics, which is one", version, resp.Topics)
		}
	}
	c.mustBeOpen()
}
