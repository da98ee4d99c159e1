package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Gotcha 1: Produce 0 to 2 are advertised and answered, each in its own shape,
// with UNSUPPORTED_VERSION for every partition.
func TestProduceTooOld(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{}, map[int16]handler{keyProduce: on(func(*api, *Request, *kmsg.ProduceRequest) Reply {
		panic("an old version reached the handler")
	})})
	produce := func(version, acks int16) *kmsg.ProduceRequest {
		req := kmsg.NewPtrProduceRequest()
		req.Version, req.Acks = version, acks
		for _, topic := range []string{"a", "b"} {
			rt := kmsg.NewProduceRequestTopic()
			rt.Topic = topic
			for p := range int32(2) {
				rp := kmsg.NewProduceRequestTopicPartition()
				rp.Partition, rp.Records = p, []byte("a message set of format v0 or v1")
				rt.Partitions = append(rt.Partitions, rp)
			}
			req.Topics = append(req.Topics, rt)
		}
		return req
	}
	c := b.dial()
	for version := int16(0); version <= 2; version++ {
		c.send(5, produce(version, 1))
		_, body := c.recv()
		resp := kmsg.NewPtrProduceResponse()
		resp.Version = version
		if err := resp.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, rt := range resp.Topics {
			for _, rp := range rt.Partitions {
				n++
				if rp.ErrorCode != kerr.UnsupportedVersion.Code || rp.BaseOffset != -1 {
					t.Errorf("v%d %s/%d: error %d, offset %d", version, rt.Topic, rp.Partition, rp.ErrorCode, rp.BaseOffset)
				}
			}
		}
		if n != 4 || !bytes.Equal(resp.AppendTo(nil), body) {
			t.Errorf("v%d: %d partitions in %x", version, n, body)
		}
	}
	c.send(6, produce(2, 0)) // nobody waits for an answer: the only way to say no is to go
	c.mustBeClosed()
	if !strings.Contains(b.log.String(), "advertised for the sake of old clients, not served") {
		t.Errorf("log:\n%s", b.log)
	}
}
