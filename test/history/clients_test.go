package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	group      = "members"
	partitions = 3
	tooLarge   = 2 << 20 // more than a topic takes
)

var topics = []string{"x", "y"}

func keyOf(topic string, partition int32) string { return topic + "/" + strconv.Itoa(int(partition)) }

func split(key string) (string, int32) {
	topic, p, _ := strings.Cut(key, "/")
	n, _ := strconv.Atoi(p)
	return topic, int32(n)
}

func allKeys() []string {
	var keys []string
	for _, topic := range topics {
		for p := range partitions {
			keys = append(keys, keyOf(topic, int32(p)))
		}
	}
	return keys
}

// world is what all clients share.
type world struct {
	addr string
	rec  *recorder
	// committed says that readers read committed data.
	committed bool
	// ended counts transactions whose end was asked for, moved those of members that are
	// committed.
	ended, moved atomic.Int64
}

// options are what all clients have.
func (w *world) options() []kgo.Opt {
	level := kgo.ReadUncommitted()
	if w.committed {
		level = kgo.ReadCommitted()
	}
	return []kgo.Opt{
		kgo.SeedBrokers(w.addr), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond), kgo.FetchIsolationLevel(level),
	}
}

func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, w.options()...)...)
	if err != nil {
		panic(err) // options that contradict each other
	}
	return cl
}

// lost tells whether an error leaves open what became of the request.
func lost(err error) bool {
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return first || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// produce sends until ctx ends, a few messages at a time. Idempotent producers
// use acks=all; the others acks=1.
func (w *world) produce(ctx context.Context, name string, idempotent bool, seed uint64) error {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}
	if idempotent {
		opts = append(opts, kgo.AlwaysRetryEOF())
	} else {
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	cl := w.client(opts...)
	defer cl.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	for n := 1; ctx.Err() == nil; n++ {
		op := Op{Client: name, Kind: Send, Status: OK, Once: idempotent, Durable: idempotent, Start: w.rec.now()}
		// One that is refused, now and then. It goes alone, as one refusal may
		// not stand for others.
		refused := n%200 == 0
		count := rng.IntN(20) + 1
		if refused {
			count = 1
		}
		var records []*kgo.Record
		for range count {
			key, value := allKeys()[rng.IntN(len(topics)*partitions)], w.rec.next()
			topic, partition := split(key)
			op.Messages = append(op.Messages, Message{key, -1, value})
			text := strconv.FormatInt(value, 10)
			if refused {
				text += " " + strings.Repeat("x", tooLarge)
			}
			records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(text)})
		}
		// Not ctx: what was begun ends with an answer.
		results := cl.ProduceSync(context.Background(), records...)
		var err error
		for i, r := range results {
			switch {
			case r.Err == nil:
				op.Messages[i].Offset = records[i].Offset
			case err == nil || lost(r.Err):
				err = r.Err
			}
		}
		switch {
		case refused && errors.Is(err, kerr.MessageTooLarge):
			op.Status = Failed
		case err == nil && !refused:
		case !idempotent && lost(err):
			op.Status = Unknown // some of it, perhaps
		default:
			return fmt.Errorf("%s: a send of %d messages (refusal wanted: %v): %w", name, count, refused, err)
		}
		w.rec.add(op)
	}
	return nil
}

// messages are what a poll has got. A broker that is away is no error; an offset that is
// gone is.
func messages(fetches kgo.Fetches, name string) ([]Message, error) {
	var ms []Message
	var err error
	fetches.EachError(func(topic string, p int32, e error) {
		if errors.Is(e, kerr.OffsetOutOfRange) {
			err = fmt.Errorf("%s polls %s/%d: %w", name, topic, p, e)
		}
	})
	fetches.EachRecord(func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		text, _, _ := strings.Cut(string(r.Value), " ")
		value, e := strconv.ParseInt(text, 10, 64)
		err = errors.Join(err, e)
		ms = append(ms, Message{keyOf(r.Topic, r.Partition), r.Offset, value})
	})
	return ms, err
}

// read reads keys that it takes for itself, anew every few polls, until ctx ends.
func (w *world) read(ctx context.Context, name string, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	at := map[string]int64{} // how far it has come with each key
	for ctx.Err() == nil {
		op := Op{Client: name, Kind: Assign, Status: OK, Start: w.rec.now(), Offsets: map[string]int64{}}
		for _, key := range allKeys() {
			if rng.IntN(3) > 0 {
				op.Offsets[key] = at[key] - rng.Int64N(at[key]/2+1)
			}
		}
		if len(op.Offsets) == 0 {
			continue
		}
		w.rec.add(op)
		cl := w.client(kgo.ConsumePartitions(positions(op.Offsets)), kgo.AlwaysRetryEOF(), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
		for range rng.IntN(60) + 5 {
			got, err := w.poll(ctx, cl, name)
			if err != nil {
				cl.Close()
				return err
			}
			for _, m := range got {
				at[m.Key] = m.Offset + 1
			}
		}
		cl.Close()
	}
	return nil
}

func positions(at map[string]int64) map[string]map[int32]kgo.Offset {
	out := map[string]map[int32]kgo.Offset{}
	for key, offset := range at {
		topic, p := split(key)
		if out[topic] == nil {
			out[topic] = map[int32]kgo.Offset{}
		}
		out[topic][p] = kgo.NewOffset().At(offset)
	}
	return out
}

// poll polls once.
func (w *world) poll(ctx context.Context, cl *kgo.Client, name string) ([]Message, error) {
	return w.pollIn(ctx, cl, name, 0, -1)
}

// pollIn polls at most so many messages (-1: what there is), in a transaction or outside
// (0).
func (w *world) pollIn(ctx context.Context, cl *kgo.Client, name string, txn int64, most int) ([]Message, error) {
	op := Op{Client: name, Kind: Poll, Status: OK, Txn: txn, Start: w.rec.now()}
	var err error
	if op.Messages, err = messages(cl.PollRecords(ctx, most), name); err != nil {
		return nil, err
	}
	if len(op.Messages) > 0 {
		w.rec.add(op)
	}
	return op.Messages, nil
}

// join is a member of the group, which commits what it has polled, and leaves
// and comes back now and then.
func (w *world) join(ctx context.Context, name string, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 3))
	for life := 0; ctx.Err() == nil; life++ {
		if err := w.live(ctx, fmt.Sprintf("%s-%d", name, life), rng); err != nil {
			return err
		}
	}
	return nil
}

// live is one membership.
func (w *world) live(ctx context.Context, name string, rng *rand.Rand) error {
	assignment := func(kind Kind) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, keys map[string][]int32) {
			op := Op{Client: name, Kind: kind, Status: OK, Start: w.rec.now(), Offsets: map[string]int64{}}
			for topic, ps := range keys {
				for _, p := range ps {
					op.Offsets[keyOf(topic, p)] = Committed
				}
			}
			if len(op.Offsets) > 0 {
				w.rec.add(op)
			}
		}
	}
	cl := w.client(kgo.ConsumeTopics(topics...), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.AlwaysRetryEOF(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(2*time.Second), kgo.HeartbeatInterval(200*time.Millisecond), kgo.RebalanceTimeout(3*time.Second),
		kgo.OnPartitionsAssigned(assignment(Assign)), kgo.OnPartitionsRevoked(assignment(Revoke)), kgo.OnPartitionsLost(assignment(Revoke)))
	defer cl.CloseAllowingRebalance()
	for n := rng.IntN(150) + 20; n > 0 && ctx.Err() == nil; n-- {
		ms, err := w.poll(ctx, cl, name)
		if err != nil {
			return err
		}
		if len(ms) > 0 && rng.IntN(4) > 0 {
			w.commit(ctx, cl, name, ms)
		}
		cl.AllowRebalance()
	}
	return nil
}

// commit commits what was polled. Whatever goes wrong: it may have been done.
func (w *world) commit(ctx context.Context, cl *kgo.Client, name string, polled []Message) {
	op := Op{Client: name, Kind: Commit, Status: OK, Start: w.rec.now(), Offsets: map[string]int64{}}
	offsets := kadm.Offsets{}
	for _, m := range polled {
		op.Offsets[m.Key] = m.Offset + 1
		topic, p := split(m.Key)
		offsets.AddOffset(topic, p, m.Offset+1, -1)
	}
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := cl.CommitRecords(within, records(op.Offsets)...); err != nil {
		op.Status = Unknown
	}
	w.rec.add(op)
}

// records are the last ones before the offsets.
func records(offsets map[string]int64) []*kgo.Record {
	var rs []*kgo.Record
	for key, at := range offsets {
		topic, p := split(key)
		rs = append(rs, &kgo.Record{Topic: topic, Partition: p, Offset: at - 1, LeaderEpoch: -1})
	}
	return rs
}

// ask asks for ends and for the group's offsets until ctx ends.
func (w *world) ask(ctx context.Context, name string) error {
	cl := w.client(kgo.AlwaysRetryEOF())
	defer cl.Close()
	a := kadm.NewClient(cl)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		op := Op{Client: name, Kind: Ends, Status: OK, Start: w.rec.now(), Offsets: map[string]int64{}}
		if ends, err := a.ListEndOffsets(ctx, topics...); err == nil && ends.Error() == nil {
			ends.Each(func(o kadm.ListedOffset) { op.Offsets[keyOf(o.Topic, o.Partition)] = o.Offset })
			w.rec.add(op)
		}
		op = Op{Client: name, Kind: Fetch, Status: OK, Start: w.rec.now(), Offsets: map[string]int64{}}
		if committed, err := a.FetchOffsets(ctx, group); err == nil && committed.Error() == nil {
			committed.Each(func(o kadm.OffsetResponse) { op.Offsets[keyOf(o.Topic, o.Partition)] = o.At })
			w.rec.add(op)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// readAll reads everything from the beginning up to ends.
func (w *world) readAll(ctx context.Context, name string, ends map[string]int64) error {
	op := Op{Client: name, Kind: Assign, Status: OK, Start: w.rec.now(), Offsets: map[string]int64{}}
	for key := range ends {
		op.Offsets[key] = 0
	}
	w.rec.add(op)
	// Markers are read, too: they say that the end is reached.
	cl := w.client(kgo.ConsumePartitions(positions(op.Offsets)), kgo.AlwaysRetryEOF(), kgo.KeepControlRecords())
	defer cl.Close()
	left := maps.Clone(ends)
	maps.DeleteFunc(left, func(_ string, end int64) bool { return end == 0 })
	for len(left) > 0 {
		op := Op{Client: name, Kind: Poll, Status: OK, Start: w.rec.now()}
		fetches := cl.PollFetches(ctx)
		ms, err := messages(fetches, name)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("the last reader has still to reach %v: %w", left, err)
		}
		if op.Messages = ms; len(ms) > 0 {
			w.rec.add(op)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if key := keyOf(r.Topic, r.Partition); r.Offset+1 >= left[key] {
				delete(left, key)
			}
		})
	}
	return nil
}
