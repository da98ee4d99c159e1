package differential

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Versions of Produce that both advertise and neither carries out.
func TestVersionsThatAreOnlySaid(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1)
		for v := int16(0); v <= 2; v++ {
			s.note(fmt.Sprint("produce v", v), produce(name, id, 1, s.batch(kafka.BatchSpec{}, "a")), v)
			s.note(fmt.Sprint("produce unanswered v", v), produce(name, id, 0, s.batch(kafka.BatchSpec{}, "a")), v)
		}
		s.note("nothing got in", listOffsets(name, 0, -1, -1), 7)
	})
}

func metadata(create bool, names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = create
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = &name
		req.Topics = append(req.Topics, rt)
	}
	return req
}

func TestAutoCreate(t *testing.T) {
	compare(t, func(s *script) {
		for _, v := range []int16{0, 3, 4, 9, 12, 13} {
			name := fmt.Sprintf("auto%d-%s", v, s.run)
			s.note(fmt.Sprint("not made by metadata v", v), metadata(false, "bad name", "", "..", name+"x"), max(4, v))
			s.note(fmt.Sprint("made by metadata v", v), metadata(true, name), v)
		}
	})
}

func TestCollidingTopics(t *testing.T) {
	compare(t, func(s *script) {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = 10_000
		for _, name := range []string{"a.b", "a_b"} {
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name+"-"+s.run, 1, 1
			req.Topics = append(req.Topics, rt)
		}
		s.note("colliding", req, 4)
	})
}

func TestUnknownBrokerConfig(t *testing.T) {
	compare(t, func(s *script) {
		for v := int16(0); v <= 1; v++ {
			for _, node := range []string{"1", "", "2", "x"} {
				req := kmsg.NewPtrIncrementalAlterConfigsRequest()
				rr := kmsg.NewIncrementalAlterConfigsRequestResource()
				rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeBroker, node
				rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
				rc.Name, rc.Value = "leat.nosuch", kmsg.StringPtr("1")
				rr.Configs = append(rr.Configs, rc)
				req.Resources, req.ValidateOnly = append(req.Resources, rr), true
				s.note(fmt.Sprintf("unknown broker config of %q v%d", node, v), req, v)
			}
		}
	})
}

// The address and the features of the broker that a client meets first. The ranges
// are compared in test/rosters.
func TestApiVersions(t *testing.T) {
	compare(t, func(s *script) {
		for v := int16(0); v <= 4; v++ {
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion = "differential", "1"
			s.send(req, v)
			resp, err := s.receive(req)
			if err != nil {
				t.Fatal(s.name, err)
			}
			r := resp.(*kmsg.ApiVersionsResponse)
			r.ApiKeys = nil
			s.walk(fmt.Sprint("versions v", v), valueOf(r))
			req.ClientSoftwareName = "-"
			s.note(fmt.Sprint("a bad name v", v), req, max(3, v))
		}
	})
}

// A fetch of two partitions for the topic id that means none.
func TestZeroTopicID(t *testing.T) {
	compare(t, func(s *script) {
		req := fetch("", [16]byte{}, 0, 0)
		more := req.Topics[0].Partitions[0]
		more.Partition = 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, more)
		s.note("fetch of the zero id", req, 13)
	})
}

// listed is how long Kafka may take to list a group that it has made.
const listed = time.Second

// A join that is refused leaves no group behind.
func TestJoinWithoutProtocols(t *testing.T) {
	compare(t, func(s *script) {
		(&world{script: s}).coordinated("g-" + s.run)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = "g-"+s.run, 60_000, 60_000, "consumer"
		s.note("join without protocols", join, 4)
		// Kafka lists what it has written; that may take it a moment.
		list := kmsg.NewPtrListGroupsRequest()
		for deadline := time.Now().Add(listed); time.Now().Before(deadline) && len(ask[*kmsg.ListGroupsResponse](s.side, list, 5).Groups) == 0; {
		}
		s.note("groups after it", list, 5)
	})
}

// What the broker compresses itself.
func TestSizeOfWhatTheBrokerCompressed(t *testing.T) {
	compare(t, func(s *script) {
		name, id := s.topic("t", 1, "compression.type=gzip")
		s.note("produce", produce(name, id, 1, s.batch(kafka.BatchSpec{}, "a", "b", "b", "b", "b")), 9)
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: name, Partitions: []int32{0}}}
		s.note("gzip", req, 4)
	})
}
