// Command sarama is a client under test: IBM/sarama, driven by lines on standard
// input.
//
//	sarama produce BROKERS TOPIC CODEC IDEMPOTENT
//	sarama consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
//	sarama transform BROKERS GROUP FROM TO TRANSACTIONAL_ID
//	sarama admin BROKERS PREFIX PAUSE_IN_MS
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/leatdev/leat/test/clients/golang/lines"
)

func main() {
	a := os.Args[1:]
	switch a[0] {
	case "produce":
		produce(a[1], a[2], a[3], a[4] == "true")
	case "consume":
		consume(a[1], a[2], strings.Split(a[3], ","), a[5])
	case "transform":
		transform(a[1], a[2], a[3], a[4], a[5])
	case "admin":
		admin(a[1], a[2], a[3])
	default:
		lines.Fatal(fmt.Errorf("%s: say produce, consume, transform or admin", a[0]))
	}
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 100, 100*time.Millisecond
	c.Metadata.RefreshFrequency = time.Second
	return c
}

func producing(c *sarama.Config) *sarama.Config {
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 300, 100*time.Millisecond
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	return c
}

// chosen takes the partition that a record names, else the one of its key.
type chosen struct{ byKey sarama.Partitioner }

func (c chosen) RequiresConsistency() bool { return true }

func (c chosen) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if p := m.Metadata.(sent).partition; p >= 0 {
		return p, nil
	}
	return c.byKey.Partition(m, n)
}

// sent is what a record is known by: its number and the partition that it is for.
type sent struct {
	n         int
	partition int32
}

// bytesOf is null for nil.
func bytesOf(b []byte) sarama.Encoder {
	if b == nil {
		return nil
	}
	return sarama.ByteEncoder(b)
}

func produce(brokers, topic, codec string, idempotent bool) {
	c := producing(config())
	lines.Fatal(c.Producer.Compression.UnmarshalText([]byte(codec)))
	if c.Producer.Idempotent = idempotent; idempotent {
		c.Net.MaxOpenRequests = 1
	}
	c.Producer.Partitioner = func(topic string) sarama.Partitioner { return chosen{sarama.NewHashPartitioner(topic)} }
	p, err := sarama.NewAsyncProducer(strings.Split(brokers, ","), c)
	lines.Fatal(err)
	failures := make(chan error, 1)
	acked := make(chan struct{})
	go func() {
		defer close(acked)
		for m := range p.Successes() {
			lines.Say("ack", m.Metadata.(sent).n, m.Partition, m.Offset)
		}
	}()
	go func() {
		var first error
		for e := range p.Errors() {
			lines.Say("failed", e.Msg.Metadata.(sent).n, e.Err)
			first = e.Err
		}
		failures <- first
	}()
	lines.Input(func(n int, r lines.Record) {
		m := &sarama.ProducerMessage{Topic: topic, Key: bytesOf(r.Key), Value: bytesOf(r.Value), Metadata: sent{n, r.Partition}}
		if r.Time >= 0 {
			m.Timestamp = time.UnixMilli(r.Time)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		p.Input() <- m
	})
	p.AsyncClose()
	<-acked
	lines.Fatal(<-failures)
}

func consumerGroup(brokers, group string, isolation string) sarama.ConsumerGroup {
	c := config()
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout, c.Consumer.Group.Heartbeat.Interval = 6*time.Second, 500*time.Millisecond
	c.Consumer.MaxWaitTime = 200 * time.Millisecond
	c.Consumer.Return.Errors = true
	if isolation == "read_committed" {
		c.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	g, err := sarama.NewConsumerGroup(strings.Split(brokers, ","), group, c)
	lines.Fatal(err)
	go func() {
		for err := range g.Errors() {
			fmt.Fprintln(os.Stderr, "consumer:", err)
		}
	}()
	return g
}

// handler calls claim for every partition that the member has got.
type handler func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error

func (handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	return h(s, c)
}

// member is a member of a group until standard input ends.
func member(g sarama.ConsumerGroup, topics []string, h handler) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-lines.Stopped()
		cancel()
	}()
	for ctx.Err() == nil {
		if err := g.Consume(ctx, topics, h); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "joining again:", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	lines.Fatal(g.Close())
}

func consume(brokers, group string, topics []string, isolation string) {
	member(consumerGroup(brokers, group, isolation), topics, func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
		for {
			select {
			case m, ok := <-c.Messages():
				if !ok {
					return nil
				}
				var headers []lines.Header
				for _, h := range m.Headers {
					headers = append(headers, lines.Header{Key: string(h.Key), Value: h.Value})
				}
				lines.Say("record", m.Topic, m.Partition, m.Offset, m.Timestamp.UnixMilli(), lines.Encode(m.Key), lines.Encode(m.Value), lines.EncodeHeaders(headers))
				s.MarkMessage(m, "")
				if m.Offset+1 >= c.HighWaterMarkOffset() || m.Offset%100 == 99 {
					s.Commit()
				}
			case <-s.Context().Done():
				s.Commit()
				return nil
			}
		}
	})
}

func transform(brokers, group, from, to, id string) {
	c := producing(config())
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	c.Producer.Transaction.ID, c.Producer.Transaction.Timeout = id, 20*time.Second
	c.Producer.Transaction.Retry.Max, c.Producer.Transaction.Retry.Backoff = 300, 100*time.Millisecond
	c.Producer.Partitioner = sarama.NewManualPartitioner
	p, err := sarama.NewSyncProducer(strings.Split(brokers, ","), c)
	lines.Fatal(err)
	turn := 0
	alone := make(chan struct{}, 1) // one transaction at a time, whatever the partition
	g := consumerGroup(brokers, group, "read_committed")
	member(g, []string{from}, func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
		for {
			var batch []*sarama.ConsumerMessage
			select {
			case m, ok := <-c.Messages():
				if !ok {
					return nil
				}
				batch = append(batch, m)
			case <-s.Context().Done():
				return nil
			}
			for more := true; more && len(batch) < 20; {
				select {
				case m, ok := <-c.Messages():
					if ok {
						batch = append(batch, m)
					}
					more = ok
				default:
					more = false
				}
			}
			alone <- struct{}{}
			for done := false; !done && s.Context().Err() == nil; {
				turn++
				done = attempt(p, batch, group, to, turn%5 == 0)
			}
			<-alone
		}
	})
	lines.Fatal(p.Close())
}

// attempt sends a batch in a transaction, which is aborted if so wanted, and tells
// whether it is committed.
func attempt(p sarama.SyncProducer, batch []*sarama.ConsumerMessage, group, to string, abort bool) bool {
	lines.Fatal(p.BeginTxn())
	var out []*sarama.ProducerMessage
	for _, m := range batch {
		out = append(out, &sarama.ProducerMessage{Topic: to, Partition: m.Partition, Key: bytesOf(m.Key), Value: bytesOf(m.Value)})
	}
	err := p.SendMessages(out)
	if err == nil && !abort {
		err = p.AddMessageToTxn(batch[len(batch)-1], group, nil)
	}
	if err == nil && !abort {
		if err = p.CommitTxn(); err == nil {
			lines.Say("committed", len(batch))
			return true
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "aborting:", err)
	}
	for p.TxnStatus()&sarama.ProducerTxnFlagFatalError == 0 {
		if err := p.AbortTxn(); err == nil {
			lines.Say("aborted", len(batch))
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
	lines.Fatal(fmt.Errorf("the producer is of no more use: %w", err))
	return false
}
