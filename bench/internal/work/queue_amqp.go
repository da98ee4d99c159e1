package work

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// amqpWindow is how many messages a consumer has unacknowledged, and a publisher
// unconfirmed: as many as a share consumer gets at once.
const amqpWindow = 500

// drainAMQP drains a quorum queue with so many consumers, each message acknowledged.
// An acknowledgement has no answer there: it ends when the queue holds nothing.
func drainAMQP(ctx context.Context, e *Env, r *peers.Running, consumers int) (Result, error) {
	url := "amqp://guest:guest@" + r.Addr + "/"
	queue := fmt.Sprintf("bench-%d", e.topics.Add(1))
	admin, err := amqp.Dial(url)
	if err != nil {
		return Result{}, err
	}
	defer admin.Close()
	ch, err := admin.Channel()
	if err != nil {
		return Result{}, err
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return Result{}, err
	}
	defer ch.QueueDelete(queue, false, false, false)
	if err := publish(ctx, ch, queue, e.Queue); err != nil {
		return Result{}, err
	}
	d := newDrained(int64(e.Queue))
	for range consumers {
		c, err := amqp.Dial(url)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		own, err := c.Channel()
		if err != nil {
			return Result{}, err
		}
		if err := own.Qos(amqpWindow, 0, false); err != nil {
			return Result{}, err
		}
		messages, err := own.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
		if err != nil {
			return Result{}, err
		}
		go func() {
			for m := range messages {
				d.begin(r)
				if err := m.Ack(false); err != nil {
					d.fail(fmt.Errorf("ack: %w", err))
					return
				}
				d.add(1)
			}
		}()
	}
	select {
	case <-d.over:
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
	res, err := d.result()
	if err != nil {
		return Result{}, err
	}
	res.Client = "amqp091-go"
	return res, until(ctx, patience, func() error {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err == nil && q.Messages > 0 {
			err = fmt.Errorf("%d messages are left", q.Messages)
		}
		return err
	})
}

// publish queues n messages and waits for every confirm.
func publish(ctx context.Context, ch *amqp.Channel, queue string, n int) error {
	if err := ch.Confirm(false); err != nil {
		return err
	}
	value := raw.Value(queueValue)
	var waiting []*amqp.DeferredConfirmation
	for i := range n {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: value})
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if waiting = append(waiting, confirm); len(waiting) < amqpWindow && i < n-1 {
			continue
		}
		within, cancel := context.WithTimeout(ctx, time.Minute)
		for _, w := range waiting {
			if acked, err := w.WaitContext(within); err != nil || !acked {
				cancel()
				return fmt.Errorf("publish: acked %v: %w", acked, err)
			}
		}
		cancel()
		waiting = waiting[:0]
	}
	return nil
}
