package raw

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceVersion is the last one before the flexible encoding; all peers have it.
const produceVersion = 8

// ProduceFrame encodes a Produce request with acks=all of one batch to each of the partitions.
func ProduceFrame(topic string, partitions []int32, batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = produceVersion, -1, 30000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	for _, p := range partitions {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = p, batch
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	return Encode(req)
}

// Pipeline sends one frame again and again over a connection, with at most Depth
// requests in flight, and tells Acked of each that was acked in full.
type Pipeline struct {
	Conn *Conn
	// Frames are sent in turn; each is a frame of ProduceFrame.
	Frames [][]byte
	// Partitions is how many partitions each frame has.
	Partitions int
	Depth      int
	// Acked is told how long a request took from before it was sent.
	Acked func(latency time.Duration)
}

// Run sends while more is true, then waits for what is in flight. Any error code
// of any partition is an error.
func (p *Pipeline) Run(more func() bool) error {
	sent := make([]time.Time, p.Depth)
	var out, in int
	for {
		for out-in < p.Depth && more() {
			sent[out%p.Depth] = time.Now()
			if err := p.Conn.Send(p.Frames[out%len(p.Frames)]); err != nil {
				return err
			}
			out++
		}
		if out == in {
			return nil
		}
		body, err := p.Conn.Receive()
		if err != nil {
			return err
		}
		if err := checkProduced(body, p.Partitions); err != nil {
			return err
		}
		p.Acked(time.Since(sent[in%p.Depth]))
		in++
	}
}

func checkProduced(body []byte, partitions int) error {
	var resp kmsg.ProduceResponse
	resp.Version = produceVersion
	if err := resp.ReadFrom(body); err != nil {
		return fmt.Errorf("answer to Produce: %w", err)
	}
	n := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("produce to %s/%d: %w", t.Topic, p.Partition, err)
			}
			n++
		}
	}
	if n != partitions {
		return fmt.Errorf("answer to Produce tells of %d partitions: want %d", n, partitions)
	}
	return nil
}
