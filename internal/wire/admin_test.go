package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// adminBench is a server of all keys on a disk in memory.
type adminBench struct {
	*bench
	broker *broker.Broker
}

func newAdminBench(t *testing.T, static map[string]string) *adminBench {
	t.Helper()
	br, err := broker.Open(broker.Config{FS: vfs.NewMem(), Dir: "/data", Static: static})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Abandon)
	return &adminBench{newBench(t, Config{Broker: br}, handlers), br}
}

// newTopicRequest asks for topics with the defaults.
func newTopicRequest(names ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range names {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, -1, -1
		req.Topics = append(req.Topics, rt)
	}
	return req
}

func (b *adminBench) makeTopics(c *client, names ...string) {
	b.t.Helper()
	for _, rt := range ask[*kmsg.CreateTopicsResponse](c, newTopicRequest(names...), 7).Topics {
		if rt.ErrorCode != 0 {
			b.t.Fatalf("create %s: %v", rt.Topic, kerr.ErrorForCode(rt.ErrorCode))
		}
	}
}

// says is an error code with its message, for comparison.
func says(code int16, message *string) string {
	s := "ok"
	if code != 0 {
		s = kerr.ErrorForCode(code).(*kerr.Error).Message
	}
	if message != nil {
		s += ": " + *message
	}
	return s
}

// appendSome makes a partition longer.
func appendSome(t *testing.T, b *broker.Broker, p *broker.Partition, values ...string) {
	t.Helper()
	for _, v := range values {
		done, err := b.Produce(t.Context(), p, kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Value: []byte(v), Timestamp: b.Now().UnixMilli()}}))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Store.Wait(t.Context(), done.Pos); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	ofTopic  = kmsg.ConfigResourceTypeTopic
	ofBroker = kmsg.ConfigResourceTypeBroker
)

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
