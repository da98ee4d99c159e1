package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCreateTopicsVersions(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	versions(t, 19, func(t *testing.T, version int16) {
		good, bad := fmt.Sprint("good", version), fmt.Sprint("bad", version)
		for _, validateOnly := range []bool{true, false} {
			req := newTopicRequest(good, bad, "twice", "twice")
			req.ValidateOnly = validateOnly
			req.Topics[0].NumPartitions = 2
			for name, value := range map[string]*string{"cleanup.policy": kmsg.StringPtr("compact"), "retention.ms": kmsg.StringPtr("77")} {
				cfg := kmsg.NewCreateTopicsRequestTopicConfig()
				cfg.Name, cfg.Value = name, value
				req.Topics[0].Configs = append(req.Topics[0].Configs, cfg)
			}
			cfg := kmsg.NewCreateTopicsRequestTopicConfig()
			cfg.Name = "retention.ms"
			req.Topics[1].Configs = append(req.Topics[1].Configs, cfg)
			resp := ask[*kmsg.CreateTopicsResponse](c, req, version)
			var got []string
			for _, rt := range resp.Topics {
				got = append(got, rt.Topic+" "+says(rt.ErrorCode, rt.ErrorMessage))
			}
			want := []string{good + " ok", bad + " INVALID_CONFIG: Null value not supported for topic configs: retention.ms", "twice INVALID_REQUEST: Duplicate topic name."}
			if !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			made := b.broker.Catalog.Snapshot().Topic(good)
			if (made == nil) != validateOnly {
				t.Errorf("validate only %v: topic %v", validateOnly, made)
			}
			rt := resp.Topics[0]
			if version >= 5 {
				checkCreated(t, rt)
				if resp.Topics[1].NumPartitions != -1 || resp.Topics[1].ReplicationFactor != -1 || len(resp.Topics[1].Configs) != 0 {
					t.Errorf("refused: %+v", resp.Topics[1])
				}
			}
			if version >= 7 && !validateOnly && rt.TopicID != made.ID || validateOnly && rt.TopicID != [16]byte{} {
				t.Errorf("id %v", rt.TopicID)
			}
		}
	})
}

// checkCreated checks what CreateTopics tells of a topic (KIP-525).
func checkCreated(t *testing.T, rt kmsg.CreateTopicsResponseTopic) {
	t.Helper()
	var own []string
	for _, cfg := range rt.Configs {
		if cfg.Source == int8(kmsg.ConfigSourceDynamicTopicConfig) {
			own = append(own, cfg.Name+"="+*cfg.Value)
		}
	}
	if rt.NumPartitions != 2 || rt.ReplicationFactor != 1 || len(rt.Configs) != 34 || !slices.Equal(own, []string{"cleanup.policy=compact", "retention.ms=77"}) {
		t.Errorf("%d partitions, replication factor %d, %d configs, own %q", rt.NumPartitions, rt.ReplicationFactor, len(rt.Configs), own)
	}
}

// Reference, behaviour 4: an unknown config is INVALID_CONFIG.
func TestCreateTopicsUnknownConfig(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	req := newTopicRequest("t")
	cfg := kmsg.NewCreateTopicsRequestTopicConfig()
	cfg.Name, cfg.Value = "nope", kmsg.StringPtr("1")
	req.Topics[0].Configs = append(req.Topics[0].Configs, cfg)
	rt := ask[*kmsg.CreateTopicsResponse](b.dial(), req, 7).Topics[0]
	if got := says(rt.ErrorCode, rt.ErrorMessage); got != "INVALID_CONFIG: Unknown topic config name: nope" {
		t.Error(got)
	}
}

func TestCreateTopicsAssignment(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	assign := func(pairs ...int32) []kmsg.CreateTopicsRequestTopicReplicaAssignment {
		var out []kmsg.CreateTopicsRequestTopicReplicaAssignment
		for i := 0; i < len(pairs); i += 2 {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = pairs[i], []int32{pairs[i+1]}
			out = append(out, a)
		}
		return out
	}
	req := newTopicRequest("good", "other", "double")
	req.Topics[0].ReplicaAssignment = assign(1, 1, 0, 1)
	req.Topics[1].ReplicaAssignment = assign(0, 7)
	req.Topics[2].ReplicaAssignment = assign(0, 1, 0, 1)
	var got []string
	for _, rt := range ask[*kmsg.CreateTopicsResponse](b.dial(), req, 7).Topics {
		got = append(got, fmt.Sprint(rt.Topic, " ", rt.NumPartitions, " ", says(rt.ErrorCode, nil)))
	}
	if want := []string{"good 2 ok", "other -1 INVALID_REPLICA_ASSIGNMENT", "double -1 INVALID_REPLICA_ASSIGNMENT"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
