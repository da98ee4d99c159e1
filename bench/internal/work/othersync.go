package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// syncNATS is the sync producers on JetStream: a stream in files with one replica
// for each partition, a connection for each producer.
func syncNATS(ctx context.Context, e *Env, r *peers.Running, partitions, producers int, window time.Duration) (Result, error) {
	base := fmt.Sprintf("bench-%d", e.topics.Add(1))
	name := func(i int) string { return fmt.Sprintf("%s-%d", base, i) }
	admin, err := nats.Connect("nats://" + r.Addr)
	if err != nil {
		return Result{}, err
	}
	defer admin.Close()
	js, err := admin.JetStream(nats.MaxWait(patience))
	if err != nil {
		return Result{}, err
	}
	for i := range partitions {
		if _, err := js.AddStream(&nats.StreamConfig{Name: name(i), Subjects: []string{name(i)}, Storage: nats.FileStorage, Replicas: 1}); err != nil {
			return Result{}, fmt.Errorf("create stream: %w", err)
		}
	}
	var workers []worker
	value := raw.Value(syncValue)
	for i := range producers {
		nc, err := nats.Connect("nats://" + r.Addr)
		if err != nil {
			return Result{}, err
		}
		defer nc.Close()
		own, err := nc.JetStream(nats.MaxWait(patience))
		if err != nil {
			return Result{}, err
		}
		subject := name(i % partitions)
		workers = append(workers, func(t *tally) error {
			for t.more() {
				began := time.Now()
				if _, err := own.Publish(subject, value, nats.RetryAttempts(0)); err != nil {
					return fmt.Errorf("publish: %w", err)
				}
				t.ack(time.Since(began), 1, syncValue)
			}
			return nil
		})
	}
	res, acked, err := drive(ctx, e, r, window, workers)
	var there int64
	for i := range partitions {
		info, failed := js.StreamInfo(name(i))
		if failed == nil {
			there += int64(info.State.Msgs)
			failed = js.DeleteStream(name(i))
		}
		err = errors.Join(err, failed)
	}
	if err == nil && there != acked {
		err = fmt.Errorf("%d messages were acked, the streams hold %d", acked, there)
	}
	res.Client = "nats.go"
	return res, err
}

const patience = 30 * time.Second

// syncAMQP is the sync producers on RabbitMQ: a quorum queue for each partition, a
// connection with publisher confirms for each producer.
func syncAMQP(ctx context.Context, e *Env, r *peers.Running, partitions, producers int, window time.Duration) (Result, error) {
	url := "amqp://guest:guest@" + r.Addr + "/"
	base := fmt.Sprintf("bench-%d", e.topics.Add(1))
	name := func(i int) string { return fmt.Sprintf("%s-%d", base, i) }
	admin, err := amqp.Dial(url)
	if err != nil {
		return Result{}, err
	}
	defer admin.Close()
	ch, err := admin.Channel()
	if err != nil {
		return Result{}, err
	}
	quorum := amqp.Table{"x-queue-type": "quorum"}
	for i := range partitions {
		if _, err := ch.QueueDeclare(name(i), true, false, false, false, quorum); err != nil {
			return Result{}, fmt.Errorf("declare queue: %w", err)
		}
	}
	var workers []worker
	value := raw.Value(syncValue)
	for i := range producers {
		c, err := amqp.Dial(url)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		own, err := c.Channel()
		if err != nil {
			return Result{}, err
		}
		if err := own.Confirm(false); err != nil {
			return Result{}, err
		}
		queue := name(i % partitions)
		workers = append(workers, func(t *tally) error {
			for t.more() {
				began := time.Now()
				confirm, err := own.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: value})
				if err != nil {
					return fmt.Errorf("publish: %w", err)
				}
				if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
					return fmt.Errorf("publish: acked %v: %w", acked, err)
				}
				t.ack(time.Since(began), 1, syncValue)
			}
			return nil
		})
	}
	res, acked, err := drive(ctx, e, r, window, workers)
	var there int64
	if err == nil { // a queue's count lags a little
		err = until(ctx, patience, func() error {
			there = 0
			for i := range partitions {
				q, err := ch.QueueDeclare(name(i), true, false, false, false, quorum)
				if err != nil {
					return err
				}
				there += int64(q.Messages)
			}
			if there != acked {
				return fmt.Errorf("%d messages were confirmed, the queues hold %d", acked, there)
			}
			return nil
		})
	}
	for i := range partitions {
		_, failed := ch.QueueDelete(name(i), false, false, false)
		err = errors.Join(err, failed)
	}
	res.Client = "amqp091-go"
	return res, err
}
