package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// limits knows the topics' max.message.bytes, so that the client neither cuts
// batches that a topic refuses nor refuses records that it would take.
type limits struct {
	mu     sync.Mutex
	topics map[string]int32
}

// defaultLimit is the client's own (Kafka's message.max.bytes less the framing).
const defaultLimit = 1_000_012

// of is the client's callback; it answers from what was learnt.
func (l *limits) of(topic string) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.topics[topic]; ok {
		return n
	}
	return defaultLimit
}

// learn asks for a topic's limit before the first record is written to it: the
// client takes it over with the topic's first record and keeps it. An error is
// trouble that passes, to be asked again after; a write with a guessed limit would
// refuse what the topic takes. A cluster that does not tell (no permission, no such
// request) leaves the default, and so does a topic that is not there, until it is.
func (l *limits) learn(ctx context.Context, cl *kgo.Client, topic string) error {
	l.mu.Lock()
	_, known := l.topics[topic]
	l.mu.Unlock()
	if known {
		return nil
	}
	limit := int32(defaultLimit)
	c, err := describe(ctx, cl, topic)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil
	case ctx.Err() != nil, kerr.IsRetriable(err), kgo.IsRetryableBrokerErr(err):
		return fmt.Errorf("asking for the max.message.bytes of topic %s: %w", topic, err)
	}
	for _, kv := range c.Configs {
		if n, err := strconv.Atoi(kv.MaybeValue()); kv.Key == "max.message.bytes" && err == nil {
			limit = int32(min(max(n, 512), 1<<30))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics == nil {
		l.topics = map[string]int32{}
	}
	l.topics[topic] = limit
	return nil
}

func describe(ctx context.Context, cl *kgo.Client, topic string) (kadm.ResourceConfig, error) {
	cs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return kadm.ResourceConfig{}, err
	}
	c, err := cs.On(topic, nil)
	if err == nil {
		err = c.Err
	}
	return c, err
}
