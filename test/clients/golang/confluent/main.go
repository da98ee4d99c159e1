// Command confluent is a client under test: confluent-kafka-go with the librdkafka
// that it bundles, driven by lines on standard input.
//
//	confluent produce BROKERS TOPIC CODEC IDEMPOTENT
//	confluent consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
//	confluent transform BROKERS GROUP FROM TO TRANSACTIONAL_ID PROTOCOL
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/leatdev/leat/test/clients/golang/lines"
)

func main() {
	a := os.Args[1:]
	switch a[0] {
	case "produce":
		produce(a[1], a[2], a[3], a[4] == "true")
	case "consume":
		consume(a[1], a[2], strings.Split(a[3], ","), a[4], a[5])
	case "transform":
		transform(a[1], a[2], a[3], a[4], a[5], a[6])
	default:
		lines.Fatal(fmt.Errorf("%s: say produce, consume or transform", a[0]))
	}
}

func produce(brokers, topic, codec string, idempotent bool) {
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": brokers, "compression.type": codec,
		"enable.idempotence": idempotent, "linger.ms": 5, "reconnect.backoff.max.ms": 1000})
	lines.Fatal(err)
	var failed error
	var delivering sync.WaitGroup
	acks := make(chan kafka.Event, 1000)
	delivering.Go(func() {
		for e := range acks {
			m, ok := e.(*kafka.Message)
			switch {
			case !ok:
				fmt.Fprintln(os.Stderr, e)
			case m.TopicPartition.Error != nil:
				failed = m.TopicPartition.Error
				lines.Say("failed", m.Opaque, failed)
			default:
				lines.Say("ack", m.Opaque, m.TopicPartition.Partition, int64(m.TopicPartition.Offset))
			}
		}
	})
	go func() {
		for e := range p.Events() {
			fmt.Fprintln(os.Stderr, e)
		}
	}()
	lines.Input(func(n int, r lines.Record) {
		m := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.Partition}, Key: r.Key, Value: r.Value, Opaque: n}
		if r.Time >= 0 {
			m.Timestamp = time.UnixMilli(r.Time)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		for {
			err := p.Produce(m, acks)
			if e, ok := errors.AsType[kafka.Error](err); !ok || e.Code() != kafka.ErrQueueFull {
				lines.Fatal(err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	for p.Flush(1000) > 0 {
	}
	close(acks)
	delivering.Wait()
	lines.Fatal(failed)
}

func consumer(brokers, group, protocol, isolation string) *kafka.Consumer {
	config := kafka.ConfigMap{"bootstrap.servers": brokers, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest",
		"enable.auto.commit": false, "isolation.level": isolation, "topic.metadata.refresh.interval.ms": 1000, "reconnect.backoff.max.ms": 1000}
	if protocol == "classic" {
		config["session.timeout.ms"], config["heartbeat.interval.ms"] = 6000, 500
	}
	c, err := kafka.NewConsumer(&config)
	lines.Fatal(err)
	return c
}

// passing are the errors of a commit that the next one makes good.
var passing = []kafka.ErrorCode{kafka.ErrNoOffset, kafka.ErrRebalanceInProgress, kafka.ErrIllegalGeneration, kafka.ErrUnknownMemberID,
	kafka.ErrStaleMemberEpoch, kafka.ErrTransport, kafka.ErrTimedOut, kafka.ErrWaitCoord, kafka.ErrAssignmentLost,
	kafka.ErrCoordinatorLoadInProgress, kafka.ErrNotCoordinator, kafka.ErrCoordinatorNotAvailable}

func commit(c *kafka.Consumer) {
	_, err := c.Commit()
	e, ok := errors.AsType[kafka.Error](err)
	switch {
	case ok && e.Code() == kafka.ErrNoOffset:
	case ok && slices.Contains(passing, e.Code()):
		fmt.Fprintln(os.Stderr, "not committed:", e)
	default:
		lines.Fatal(err)
	}
}

func consume(brokers, group string, topics []string, protocol, isolation string) {
	c := consumer(brokers, group, protocol, isolation)
	// What is given up is committed first: the next one goes on where this one was.
	lines.Fatal(c.SubscribeTopics(topics, func(c *kafka.Consumer, e kafka.Event) error {
		if _, given := e.(kafka.RevokedPartitions); given && !c.AssignmentLost() {
			commit(c)
		}
		return nil
	}))
	stopped := lines.Stopped()
	for read := 0; ; {
		select {
		case <-stopped:
			commit(c)
			lines.Fatal(c.Close())
			return
		default:
		}
		switch m := c.Poll(200).(type) {
		case *kafka.Message:
			var headers []lines.Header
			for _, h := range m.Headers {
				headers = append(headers, lines.Header{Key: h.Key, Value: h.Value})
			}
			lines.Say("record", *m.TopicPartition.Topic, m.TopicPartition.Partition, int64(m.TopicPartition.Offset), m.Timestamp.UnixMilli(),
				lines.Encode(m.Key), lines.Encode(m.Value), lines.EncodeHeaders(headers))
			if read++; read%500 == 0 {
				commit(c)
			}
		case kafka.Error:
			fmt.Fprintln(os.Stderr, m)
		case nil:
			commit(c)
		}
	}
}

func transform(brokers, group, from, to, id, protocol string) {
	c := consumer(brokers, group, protocol, "read_committed")
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": brokers, "transactional.id": id, "transaction.timeout.ms": 20000, "reconnect.backoff.max.ms": 1000})
	lines.Fatal(err)
	go func() {
		for e := range p.Events() {
			if m, ok := e.(*kafka.Message); !ok || m.TopicPartition.Error != nil {
				fmt.Fprintln(os.Stderr, e)
			}
		}
	}()
	ctx := context.Background()
	lines.Fatal(p.InitTransactions(ctx))
	lines.Fatal(c.SubscribeTopics([]string{from}, nil))
	stopped := lines.Stopped()
	for turn := 1; ; {
		select {
		case <-stopped:
			lines.Fatal(c.Close())
			p.Close()
			return
		default:
		}
		var batch []*kafka.Message
		for len(batch) < 20 {
			m, ok := c.Poll(100).(*kafka.Message)
			if !ok {
				break
			}
			batch = append(batch, m)
		}
		if len(batch) == 0 {
			continue
		}
		err := attempt(ctx, c, p, batch, to, turn%5 == 0)
		turn++
		if err == nil {
			lines.Say("committed", len(batch))
			continue
		}
		if e, ok := errors.AsType[kafka.Error](err); ok && e.IsFatal() {
			lines.Fatal(err)
		}
		fmt.Fprintln(os.Stderr, "aborting:", err)
		lines.Fatal(p.AbortTransaction(ctx))
		back(c)
		lines.Say("aborted", len(batch))
	}
}

var errWanted = errors.New("this one is aborted on purpose")

// attempt sends a batch in a transaction and commits it; an error asks for an abort.
func attempt(ctx context.Context, c *kafka.Consumer, p *kafka.Producer, batch []*kafka.Message, to string, abort bool) error {
	if err := p.BeginTransaction(); err != nil {
		return err
	}
	for _, m := range batch {
		out := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &to, Partition: m.TopicPartition.Partition}, Key: m.Key, Value: m.Value}
		if err := p.Produce(out, nil); err != nil {
			return err
		}
	}
	if abort {
		for p.Flush(1000) > 0 {
		}
		return errWanted
	}
	assigned, err := c.Assignment()
	if err != nil {
		return err
	}
	positions, err := c.Position(assigned)
	if err != nil {
		return err
	}
	member, err := c.GetConsumerGroupMetadata()
	if err != nil {
		return err
	}
	if err := p.SendOffsetsToTransaction(ctx, positions, member); err != nil {
		return err
	}
	for {
		err := p.CommitTransaction(ctx)
		if e, ok := errors.AsType[kafka.Error](err); !ok || !e.IsRetriable() {
			return err
		}
	}
}

// back goes back to what is committed.
func back(c *kafka.Consumer) {
	for {
		assigned, err := c.Assignment()
		lines.Fatal(err)
		committed, err := c.Committed(assigned, 10_000)
		if err != nil {
			fmt.Fprintln(os.Stderr, "not yet back:", err)
			continue
		}
		for i := range committed {
			if committed[i].Offset < 0 {
				committed[i].Offset = 0
			}
		}
		_, err = c.SeekPartitions(committed)
		lines.Fatal(err)
		return
	}
}
