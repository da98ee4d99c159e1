package differential

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Leaders and replicas, of which one node has one each.
func TestElectLeaders(t *testing.T) {
	compare(t, func(s *script) {
		name, _ := s.topic("t", 2)
		for v := int16(0); v <= 2; v++ {
			for _, kind := range []int8{0, 1, 7} {
				req := kmsg.NewPtrElectLeadersRequest()
				req.ElectionType, req.TimeoutMillis = kind, 10_000
				req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: name, Partitions: []int32{0, 1, 9}}, {Topic: "none", Partitions: []int32{0}}}
				s.note(fmt.Sprintf("elect by %d v%d", kind, v), req, v)
				req.Topics = nil
				s.note(fmt.Sprintf("elect all by %d v%d", kind, v), req, v)
				req.Topics = []kmsg.ElectLeadersRequestTopic{}
				s.note(fmt.Sprintf("elect none by %d v%d", kind, v), req, v)
			}
		}
	})
}

func TestReassignments(t *testing.T) {
	compare(t, func(s *script) {
		name, _ := s.topic("t", 2)
		for v := int16(0); v <= 1; v++ {
			for label, replicas := range map[string][]int32{"here": {1}, "cancel": nil, "nowhere": {}, "elsewhere": {2}, "here and elsewhere": {1, 2}, "here twice": {1, 1}, "negative": {-1}} {
				for _, allow := range []bool{true, false} {
					req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
					req.TimeoutMillis, req.AllowReplicationFactorChange = 10_000, allow
					for _, topic := range []string{name, "none"} {
						rt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
						rt.Topic = topic
						for _, p := range []int32{0, 9} {
							rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
							rp.Partition, rp.Replicas = p, replicas
							rt.Partitions = append(rt.Partitions, rp)
						}
						req.Topics = append(req.Topics, rt)
					}
					s.note(fmt.Sprintf("reassign %s %v v%d", label, allow, v), req, v)
				}
			}
			req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			req.TimeoutMillis = 10_000
			s.note(fmt.Sprint("reassign nothing v", v), req, v)
		}
		req := kmsg.NewPtrListPartitionReassignmentsRequest()
		req.TimeoutMillis = 10_000
		s.note("list all reassignments", req, 0)
		req.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: name, Partitions: []int32{0, 9}}, {Topic: "none", Partitions: []int32{0}}}
		s.note("list reassignments", req, 0)
		req.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{}
		s.note("list no reassignments", req, 0)
	})
}

func TestDescribeQuorum(t *testing.T) {
	compare(t, func(s *script) {
		for v := int16(0); v <= 2; v++ {
			for label, topics := range map[string][]kmsg.DescribeQuorumRequestTopic{
				"the quorum":         {{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}}},
				"another partition":  {{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 1}}}},
				"two partitions":     {{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}, {Partition: 1}}}},
				"another topic":      {{Topic: "none", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}}},
				"no topic":           {},
				"no partition of it": {{Topic: "__cluster_metadata"}},
				"it and another":     {{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}}, {Topic: "none", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}}},
			} {
				req := kmsg.NewPtrDescribeQuorumRequest()
				req.Topics = topics
				s.note(fmt.Sprintf("%s v%d", label, v), req, v)
			}
		}
	})
}

func TestUpdateFeatures(t *testing.T) {
	compare(t, func(s *script) {
		for v := int16(0); v <= 2; v++ {
			for _, feature := range []string{"transaction.version", "group.version", "share.version", "streams.version", "metadata.version", "kraft.version", "eligible.leader.replicas.version", "nosuch.version", ""} {
				for _, level := range []int16{-1, 0, 1, 2, 3, 99} {
					for _, kind := range []int8{0, 1, 2, 3, 9} {
						req := kmsg.NewPtrUpdateFeaturesRequest()
						req.TimeoutMillis, req.ValidateOnly = 10_000, true
						if v == 0 && (kind > 2 || feature != "nosuch.version") {
							continue // it knows no way of only looking
						}
						req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: feature, MaxVersionLevel: level, UpgradeType: kind, AllowDowngrade: kind == 2}}
						s.note(fmt.Sprintf("%q to %d by %d v%d", feature, level, kind, v), req, v)
					}
				}
			}
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.TimeoutMillis, req.ValidateOnly = 10_000, true
			s.note(fmt.Sprint("nothing v", v), req, v)
			req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "group.version", MaxVersionLevel: 1, UpgradeType: 1}, {Feature: "nosuch.version", MaxVersionLevel: 1, UpgradeType: 1}}
			s.note(fmt.Sprint("two v", v), req, v)
			req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "group.version", MaxVersionLevel: 1, UpgradeType: 1}, {Feature: "group.version", MaxVersionLevel: 1, UpgradeType: 1}}
			s.note(fmt.Sprint("twice v", v), req, v)
		}
	})
}

func TestUnregisterBroker(t *testing.T) {
	compare(t, func(s *script) {
		for _, id := range []int32{2, 0, -1} { // 1 is the broker, which Kafka would take away
			req := kmsg.NewPtrUnregisterBrokerRequest()
			req.BrokerID = id
			s.note(fmt.Sprint("unregister ", id), req, 0)
		}
	})
}

func TestListConfigResources(t *testing.T) {
	compare(t, func(s *script) {
		s.topic("a", 1)
		s.topic("b", 1)
		for v := int16(0); v <= 1; v++ {
			for _, kinds := range [][]int8{nil, {2}, {4}, {8}, {16}, {32}, {2, 4}, {2, 2}, {7}, {2, 7}, {0}, {16, 32}} {
				req := kmsg.NewPtrListConfigResourcesRequest()
				req.ResourceTypes = kinds
				s.note(fmt.Sprintf("resources of %d v%d", kinds, v), req, v)
			}
		}
	})
}

func TestDescribeClientQuotas(t *testing.T) {
	compare(t, func(s *script) {
		name := "alice"
		for v := int16(0); v <= 1; v++ {
			for _, strict := range []bool{false, true} {
				for label, components := range map[string][]kmsg.DescribeClientQuotasRequestComponent{
					"all":                {},
					"a user":             {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeExact, Match: &name}},
					"default user":       {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeDefault}},
					"any user":           {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeAny}},
					"any client of user": {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeExact, Match: &name}, {EntityType: "client-id", MatchType: kmsg.QuotasMatchTypeAny}},
					"an ip":              {{EntityType: "ip", MatchType: kmsg.QuotasMatchTypeAny}},
					"ip and user":        {{EntityType: "ip", MatchType: kmsg.QuotasMatchTypeAny}, {EntityType: "user", MatchType: kmsg.QuotasMatchTypeAny}},
					"unknown kind":       {{EntityType: "planet", MatchType: kmsg.QuotasMatchTypeAny}},
					"nameless kind":      {{EntityType: "", MatchType: kmsg.QuotasMatchTypeAny}},
					"twice":              {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeAny}, {EntityType: "user", MatchType: kmsg.QuotasMatchTypeAny}},
					"exactly null":       {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeExact}},
					"default by name":    {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeDefault, Match: &name}},
					"any by name":        {{EntityType: "user", MatchType: kmsg.QuotasMatchTypeAny, Match: &name}},
					"unknown match":      {{EntityType: "user", MatchType: 7}},
				} {
					req := kmsg.NewPtrDescribeClientQuotasRequest()
					req.Components, req.Strict = components, strict
					s.note(fmt.Sprintf("quotas of %s %v v%d", label, strict, v), req, v)
				}
			}
		}
	})
}
