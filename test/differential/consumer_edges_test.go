package differential

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What random consumer groups leave out, as the two brokers differ in it.

// A member goes on from the epoch before, as if an answer had been lost, after it has
// waited for partitions with the newer one.
func TestConsumerGroupEpochBefore(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 2)
		c.join("a")
		c.join("b", []string{}...)
		c.join("b")
		c.beat("b")
		c.beat("b")
		req := c.request("b", c.epoch["b"]-1)
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		c.s.note("the epoch before", req, 1)
	})
}

// Members leave, and topics change, and nobody has said anything since.
func TestConsumerGroupWithoutHeartbeat(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 2)
		c.join("a")
		c.join("b")
		c.leave("a", -1, nil)
		c.describe("a has left")
		c.beat("b")
		c.describe("b has said something")
	})
}

// A member of the classic protocol whose metadata cannot be read joins a group of the
// other protocol.
func TestJoinThatCannotBeRead(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 2)
		c.join("a")
		for _, member := range []string{"", "somebody"} {
			for _, v := range []int16{2, 6, 9} {
				req := kmsg.NewPtrJoinGroupRequest()
				req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.MemberID = c.group, "consumer", 10_000, 10_000, member
				req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("meta")}}
				label := "as nobody"
				if member != "" {
					label = "as somebody"
				}
				if resp, ok := s.note(label, req, v).(*kmsg.JoinGroupResponse); ok && resp.ErrorCode == 79 {
					req.MemberID = resp.MemberID
					s.note("with its id", req, v)
				}
			}
		}
		c.describe("after all")
	})
}

// Topics that an expression matches come and go while its members only beat. Kafka looks
// expressions up again within ten seconds.
func TestExpressionFindsTopics(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t0", 2)
		expression := "t.-" + s.run
		join := c.joining("a", []string{}...)
		join.SubscribedTopicRegex = &expression
		c.send("a joins", "a", join)
		until := func(label string, partitions int) {
			for end := time.Now().Add(patience); len(c.has["a"]) != partitions; {
				req := c.request("a", c.epoch["a"])
				resp := ask[*kmsg.ConsumerGroupHeartbeatResponse](s.side, req, 1)
				if resp.ErrorCode != 0 || time.Now().After(end) {
					t.Fatalf("%s: %s: error %d, and a has %v", s.name, label, resp.ErrorCode, c.has["a"])
				}
				c.epoch["a"] = resp.MemberEpoch
				if resp.Assignment != nil {
					c.has["a"] = nil
					for _, t := range resp.Assignment.Topics {
						c.has["a"] = append(c.has["a"], t.Partitions...)
					}
				}
			}
			s.say(label, fmt.Sprint("a has ", len(c.has["a"])))
		}
		until("at first", 2)
		s.topic("t1", 3)
		s.topic("u1", 4)
		until("when t1 has come", 5)
		del := kmsg.NewPtrDeleteTopicsRequest()
		del.TopicNames, del.TimeoutMillis = []string{c.topic}, 10_000
		s.note("t0 goes", del, 5)
		until("when t0 has gone", 3)
	})
}

// A classic member that nobody knows joins a group whose members of the consumer protocol
// have all left: it is refused.
func TestRefusedJoinOfAnEmptyGroup(t *testing.T) {
	compare(t, func(s *script) {
		c := s.consumers("t", 1)
		c.join("a")
		c.leave("a", -1, nil)
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.MemberID = c.group, "consumer", 10_000, 10_000, "somebody"
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("meta")}}
		s.note("somebody joins", req, 7)
		c.leave("b", -1, nil)
		c.describe("after it")
	})
}
