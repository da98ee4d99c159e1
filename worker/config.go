package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Order says which records may overtake which.
type Order string

const (
	// OrderKey keeps the order of records with equal keys (the default).
	// Records without a key have no order. A record that is dead-lettered no
	// longer holds up the later records of its key.
	OrderKey Order = "key"
	// OrderNone lets every record go as soon as it can.
	OrderNone Order = "none"
	// OrderStrict handles one record of a partition at a time. A record that
	// fails blocks its partition and is tried again for ever, whatever the
	// class of its failure: nothing is dead-lettered and nothing overtakes.
	OrderStrict Order = "strict"
)

// Start says where a group begins to read a topic of which it has committed
// nothing at all yet. It is looked at once: a group that has committed goes on
// from there, and partitions that a known topic gains later are read from their
// beginning. The zero value is the earliest record.
type Start struct {
	latest bool
	at     time.Time
}

// Earliest starts at the oldest record there is.
func Earliest() Start { return Start{} }

// Latest starts after the newest record.
func Latest() Start { return Start{latest: true} }

// At starts at the first record whose timestamp is t or later.
func At(t time.Time) Start { return Start{at: t} }

// Batch bounds how many messages one call of the handler gets.
type Batch struct {
	// Max is the most messages in one call; 1 when zero.
	Max int
	// Wait is how long a message waits for others to share its call; zero
	// hands it over at once. Full batches never wait.
	Wait time.Duration
}

// Retry says how often and how fast one record's failures of class Retriable
// are tried again.
type Retry struct {
	// Attempts is how many failures of its own a record may have before it is
	// dead-lettered; 5 when zero. Calls that failed as a whole with other records
	// in them, and calls while the worker is paused, are not counted.
	Attempts int
	// Min and Max bound the back-off, which doubles from Min with a jitter of
	// one fifth; 100 ms and 10 s when zero. Max bounds the pauses between probes,
	// too. A RetryAfter that the other side asked for is waited for in full.
	Min, Max time.Duration
}

// DeadLetter says where records go that cannot be processed.
type DeadLetter struct {
	// Topic is the dead-letter topic. When it is empty the first record that
	// would have to go there ends Run with its error. It must let through
	// records as large as the source topics' and about 64 KiB of headers.
	Topic string
	// Pipeline, Step and Model name what the record failed in; they become
	// headers (leat.dlq.pipeline, .step, .model). Each may be empty.
	Pipeline, Step, Model string
	// Announce, if set, is called when a dead letter is acknowledged and before
	// its source's offset is committed; the records it returns are written and
	// acknowledged in between. It is called from one goroutine per record in
	// settlement, so it must be safe for concurrent use, and must not block.
	Announce func(DeadLettered) []*kgo.Record
}

// DeadLettered tells of one record that has become a dead letter.
type DeadLettered struct {
	// Message is the record that could not be processed.
	Message *Message
	// Topic, Partition and Offset are where the dead letter is.
	Topic     string
	Partition int32
	Offset    int64
	// Err is why, Class its class.
	Err   error
	Class Class
}

// Config is all a worker needs. Group, Topics, Handler and either Seeds or a
// seed among ClientOpts are required.
type Config struct {
	// Seeds are the brokers to ask first, host:port.
	Seeds []string
	// ClientOpts are added to the options of the worker's Kafka client: a dialer
	// (kgo.Dialer, for a broker in the same process), TLS, SASL, a client id.
	// Options that the worker sets itself for its guarantees (group, offsets,
	// acks, partitioner, batch bytes, rebalance callbacks) are not to be set.
	ClientOpts []kgo.Opt

	// Group is the consumer group.
	Group string
	// Topics are the topics to read.
	Topics []string
	// Start is where a new group begins.
	Start Start
	// Order is OrderKey when empty.
	Order Order
	// Handler does the work.
	Handler Handler

	// Batch, Concurrency, Retry, DeadLetter: see their types.
	Batch Batch
	// Concurrency is how many calls of the handler may run at once; 1 when zero.
	Concurrency int
	Retry       Retry
	DeadLetter  DeadLetter

	// MaxInFlight and MaxInFlightBytes bound, per partition, the records that are
	// read and not yet committed (waiting, in a call, held, or done out of order).
	// The partition is not fetched from while it is at its bound. 4096 and 64 MiB
	// when zero. MaxInFlight is kept exactly, the bytes are overshot by one poll.
	// It is the most that can be handled twice after a kill.
	MaxInFlight      int
	MaxInFlightBytes int64
	// CommitInterval is the least time between two commits; 20 ms when zero.
	CommitInterval time.Duration
	// DrainTimeout bounds how long calls in flight are waited for when partitions
	// are taken away and when the worker stops; 20 s when zero. It must be below
	// the group's rebalance time-out (60 s unless ClientOpts says otherwise).
	DrainTimeout time.Duration

	// OnAssigned and OnRevoked tell of partitions that come and go. OnRevoked
	// comes before the last commit when lost is false: messages of these
	// partitions that the handler holds may still be settled during the call; after
	// it they belong to another worker, and settling them does nothing. When lost
	// is true the partitions are gone already. Neither may call Stop.
	OnAssigned func(map[string][]int32)
	OnRevoked  func(partitions map[string][]int32, lost bool)

	// Logger gets what operators want to read; slog.Default() when nil.
	Logger *slog.Logger
}

// complete checks the configuration and fills in defaults.
func (c *Config) complete() error {
	switch {
	case c.Group == "":
		return errors.New("Group is empty; name the consumer group")
	case len(c.Topics) == 0:
		return errors.New("Topics is empty; name at least one topic to read")
	case slices.Contains(c.Topics, ""):
		return errors.New("Topics has an empty name")
	case c.Handler == nil:
		return errors.New("Handler is nil; give the function that does the work")
	case len(c.Seeds) == 0 && len(c.ClientOpts) == 0:
		return errors.New("neither Seeds nor ClientOpts; give the address of a broker")
	case c.DeadLetter.Topic != "" && slices.Contains(c.Topics, c.DeadLetter.Topic):
		return fmt.Errorf("the dead-letter topic %q is among Topics; a dead letter would come back for ever", c.DeadLetter.Topic)
	}
	if c.Order == "" {
		c.Order = OrderKey
	}
	if !slices.Contains([]Order{OrderKey, OrderNone, OrderStrict}, c.Order) {
		return fmt.Errorf("Order %q is unknown; use key, none or strict", c.Order)
	}
	for _, v := range []struct {
		name  string
		value int64
	}{
		{"Batch.Max", int64(c.Batch.Max)}, {"Batch.Wait", int64(c.Batch.Wait)}, {"Concurrency", int64(c.Concurrency)},
		{"Retry.Attempts", int64(c.Retry.Attempts)}, {"Retry.Min", int64(c.Retry.Min)}, {"Retry.Max", int64(c.Retry.Max)},
		{"MaxInFlight", int64(c.MaxInFlight)}, {"MaxInFlightBytes", c.MaxInFlightBytes},
		{"CommitInterval", int64(c.CommitInterval)}, {"DrainTimeout", int64(c.DrainTimeout)},
	} {
		if v.value < 0 {
			return fmt.Errorf("%s is %d; it must not be negative", v.name, v.value)
		}
	}
	c.Retry = c.Retry.withDefaults()
	if c.Retry.Max < c.Retry.Min {
		return fmt.Errorf("Retry.Max %v is below Retry.Min %v", c.Retry.Max, c.Retry.Min)
	}
	c.Batch.Max = max(c.Batch.Max, 1)
	c.Concurrency = max(c.Concurrency, 1)
	setDefault(&c.MaxInFlight, max(4096, 4*c.Batch.Max))
	if c.MaxInFlight < c.Batch.Max {
		return fmt.Errorf("MaxInFlight %d is below Batch.Max %d; no batch could be full", c.MaxInFlight, c.Batch.Max)
	}
	setDefault(&c.MaxInFlightBytes, 64<<20)
	setDefault(&c.CommitInterval, 20*time.Millisecond)
	setDefault(&c.DrainTimeout, 20*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
