package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatdev/leat/test/traffic"
)

// transactor is a transactional client with what it tells the recorder. Each incarnation
// has a name of its own.
type transactor struct {
	*world
	id   string
	name string
	life int
	rng  *rand.Rand
	old  bool // it knows version 1 of transactions only (KIP-890 is version 2)
}

// errAway says that the broker is away at the beginning of a life: another client tries
// again.
var errAway = errors.New("the broker is away")

// incarnate begins a life of a transactional id with a client, which fences whoever had
// the id before.
func (c *transactor) incarnate(cl *kgo.Client) (name string, err error) {
	c.life++
	name = fmt.Sprintf("%s/%d", c.id, c.life)
	op := Op{Client: name, Kind: Init, Status: OK, Start: c.rec.now(), ID: c.id}
	within, cancel := context.WithTimeout(context.Background(), traffic.Patience)
	defer cancel()
	producer, epoch, err := cl.ProducerID(within)
	if err != nil {
		return "", fmt.Errorf("%s: InitProducerId: %w: %w", name, errAway, err)
	}
	op.Order = producer<<16 | int64(epoch)
	c.rec.add(op)
	return name, nil
}

// producer is a client with the transactional id.
func (c *transactor) producer(opts ...kgo.Opt) *kgo.Client {
	opts = append(opts, kgo.TransactionalID(c.id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AlwaysRetryEOF())
	if c.old {
		opts = append(opts, kgo.MaxVersions(kversion.V3_8_0()))
	}
	return c.client(opts...)
}

// send sends a few messages in a transaction, and waits for their answers.
func (c *transactor) send(cl *kgo.Client, txn int64, keys []string) error {
	op := Op{Client: c.name, Kind: Send, Status: OK, Once: true, Durable: true, Txn: txn, Start: c.rec.now()}
	var records []*kgo.Record
	for _, key := range keys {
		value := c.rec.next()
		topic, partition := split(key)
		op.Messages = append(op.Messages, Message{key, -1, value})
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(strconv.FormatInt(value, 10))})
	}
	within, cancel := context.WithTimeout(context.Background(), traffic.Patience)
	defer cancel()
	var err error
	for i, r := range cl.ProduceSync(within, records...) {
		if r.Err == nil {
			op.Messages[i].Offset = records[i].Offset
		} else {
			err = r.Err
		}
	}
	if err != nil {
		op.Status = Unknown
	}
	c.rec.add(op)
	return err
}

// endPatience is how long a client waits for an end: long for a broker to come back, short
// for a member of a group whose heartbeats have stopped, which would wait for ever.
const endPatience = 15 * time.Second

// end notes the end of a transaction, which do brings about. Now and then nobody waits for
// its answer. It tells whether the client can go on.
func (c *transactor) end(txn int64, abort bool, do func(ctx context.Context) (asAsked bool, err error)) bool {
	op := Op{Client: c.name, Kind: End, Status: OK, Txn: txn, Abort: abort, Start: c.rec.now()}
	within, cancel := context.WithTimeout(context.Background(), endPatience)
	if c.rng.IntN(25) == 0 {
		within, cancel = context.WithTimeout(context.Background(), time.Duration(c.rng.IntN(4000))*time.Microsecond)
	}
	defer cancel()
	asAsked, err := do(within)
	c.ended.Add(1)
	switch {
	case err != nil:
		op.Status = Unknown
	case !asAsked:
		op.Status = Failed
	}
	c.rec.add(op)
	return err == nil
}

func (c *transactor) keys(n int) []string {
	all := allKeys()
	var keys []string
	for range n {
		keys = append(keys, all[c.rng.IntN(len(all))])
	}
	return keys
}

// lives has a client live again and again until ctx ends; at last one ends what may have
// been left open.
func (c *transactor) lives(ctx context.Context, live func(context.Context) error) error {
	for ctx.Err() == nil {
		if err := live(ctx); err != nil && !errors.Is(err, errAway) {
			return err
		}
	}
	cl := c.producer()
	defer cl.Close()
	_, err := c.incarnate(cl)
	return err
}

// mix sends to any keys and polls any, in transactions, until ctx ends: what it reads
// others have sent in theirs.
func (w *world) mix(ctx context.Context, id string, old bool, seed uint64) error {
	c := &transactor{world: w, id: id, old: old, rng: rand.New(rand.NewPCG(seed, 4))}
	return c.lives(ctx, c.mixLife)
}

func (c *transactor) mixLife(ctx context.Context) error {
	// Some lives have little time for a transaction, and take more.
	patience, slow := time.Minute, c.rng.IntN(6) == 0
	if slow {
		patience = 200 * time.Millisecond
	}
	cl := c.producer(kgo.TransactionTimeout(patience))
	defer cl.Close()
	var err error
	if c.name, err = c.incarnate(cl); err != nil {
		return err
	}
	from := Op{Client: c.name, Kind: Assign, Status: OK, Start: c.rec.now(), Offsets: map[string]int64{}}
	for _, key := range allKeys() {
		from.Offsets[key] = c.at(key)
	}
	c.rec.add(from)
	reader := c.client(kgo.ConsumePartitions(positions(from.Offsets)), kgo.AlwaysRetryEOF(), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer reader.Close()
	for ctx.Err() == nil {
		txn := c.rec.nextTxn()
		if err := cl.BeginTransaction(); err != nil {
			return fmt.Errorf("%s: BeginTransaction: %w", c.name, err)
		}
		for range c.rng.IntN(4) + 1 {
			if c.rng.IntN(3) == 0 {
				within, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
				_, err := c.pollIn(within, reader, c.name, txn, 20)
				cancel()
				if err != nil {
					return err
				}
			} else if c.send(cl, txn, c.keys(c.rng.IntN(5)+1)) != nil {
				return nil // fenced, or cut off: another incarnation goes on
			}
		}
		if slow && c.rng.IntN(10) == 0 {
			<-time.After(2 * patience) // its transaction is ended meanwhile
		}
		switch c.rng.IntN(25) {
		case 0:
			return nil // it vanishes, and leaves it open
		case 1:
			return c.usurped(cl, txn)
		}
		abort := c.rng.IntN(4) == 0
		if !c.end(txn, abort, func(ctx context.Context) (bool, error) {
			return true, cl.EndTransaction(ctx, kgo.TransactionEndTry(!abort))
		}) {
			return nil
		}
	}
	return nil
}

// usurped has another client take the transactional id; then the first one goes on as if
// it did not know.
func (c *transactor) usurped(cl *kgo.Client, txn int64) error {
	next := c.producer()
	defer next.Close()
	if _, err := c.incarnate(next); err != nil {
		return err
	}
	if c.rng.IntN(2) == 0 && c.send(cl, txn, c.keys(3)) == nil {
		return fmt.Errorf("%s is fenced, and has sent something", c.name)
	}
	c.end(txn, false, func(ctx context.Context) (bool, error) { return true, cl.EndTransaction(ctx, kgo.TryCommit) })
	return nil
}

// at is where somebody begins to read a key: near its end, mostly.
func (c *transactor) at(key string) int64 {
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	for i := len(c.rec.ops) - 1; i >= 0; i-- {
		if op := &c.rec.ops[i]; op.Kind == Poll {
			for _, m := range op.Messages {
				if m.Key == key {
					return m.Offset - c.rng.Int64N(min(m.Offset, 50)+1)
				}
			}
		}
	}
	return 0
}

// move is a member of a group that sends a message for each one that it gets, in
// transactions which take the offsets along.
func (w *world) move(ctx context.Context, id string, seed uint64) error {
	c := &transactor{world: w, id: id, rng: rand.New(rand.NewPCG(seed, 5))}
	return c.lives(ctx, c.moveLife)
}

func (c *transactor) moveLife(ctx context.Context) error {
	held := &holding{keys: map[string]bool{}}
	assignment := func(kind Kind) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, keys map[string][]int32) {
			op := Op{Client: c.name, Kind: kind, Status: OK, Start: c.rec.now(), Offsets: map[string]int64{}}
			for topic, ps := range keys {
				for _, p := range ps {
					op.Offsets[keyOf(topic, p)] = Committed
				}
			}
			held.change(op.Offsets, kind == Assign)
			if len(op.Offsets) > 0 {
				c.rec.add(op)
			}
		}
	}
	c.name = fmt.Sprintf("%s/%d", c.id, c.life+1)
	s, err := kgo.NewGroupTransactSession(append(c.options(), kgo.TransactionalID(c.id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AlwaysRetryEOF(),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics[0]), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.TransactionTimeout(time.Minute),
		kgo.SessionTimeout(3*time.Second), kgo.HeartbeatInterval(200*time.Millisecond), kgo.RebalanceTimeout(5*time.Second),
		kgo.OnPartitionsAssigned(assignment(Assign)), kgo.OnPartitionsRevoked(assignment(Revoke)), kgo.OnPartitionsLost(assignment(Revoke)))...)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err = c.incarnate(s.Client()); err != nil {
		return err
	}
	for range c.rng.IntN(150) + 50 {
		if ctx.Err() != nil {
			return nil
		}
		goesOn, err := c.move1(ctx, s, held)
		if !goesOn || err != nil {
			return err
		}
	}
	return nil
}

// holding is what a member has, by its callbacks.
type holding struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (h *holding) change(keys map[string]int64, assigned bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range keys {
		if h.keys[key] = assigned; !assigned {
			delete(h.keys, key)
		}
	}
}

// move1 is one transaction of a member. A rebalance goes on in its middle, and then it
// is aborted.
func (c *transactor) move1(ctx context.Context, s *kgo.GroupTransactSession, held *holding) (goesOn bool, err error) {
	if err := s.Begin(); err != nil {
		return false, fmt.Errorf("%s: Begin: %w", c.name, err)
	}
	txn := c.rec.nextTxn()
	got, err := c.pollIn(ctx, s.Client(), c.name, txn, 10)
	if err != nil {
		return false, err
	}
	if len(got) == 0 {
		_, err := s.End(context.Background(), kgo.TryAbort) // of nothing: nobody is asked
		return err == nil, nil
	}
	if c.send(s.Client(), txn, c.keys(len(got))) != nil {
		return false, nil
	}
	offsets := Op{Client: c.name, Kind: Commit, Status: OK, Txn: txn, Group: group, Start: c.rec.now(), Offsets: map[string]int64{}}
	for _, m := range got {
		offsets.Offsets[m.Key] = m.Offset + 1
	}
	c.rec.add(offsets)
	if c.rng.IntN(40) == 0 {
		return false, nil // it vanishes
	}
	abort := c.rng.IntN(5) == 0
	committed := false
	goesOn = c.end(txn, abort, func(ctx context.Context) (bool, error) {
		var err error
		committed, err = s.End(ctx, kgo.TransactionEndTry(!abort))
		return committed != abort, err
	})
	if goesOn && !committed {
		// It begins again where the group is.
		back := Op{Client: c.name, Kind: Assign, Status: OK, Start: c.rec.now(), Offsets: map[string]int64{}}
		held.mu.Lock()
		for key := range held.keys {
			back.Offsets[key] = Committed
		}
		held.mu.Unlock()
		c.rec.add(back)
	}
	if committed {
		c.moved.Add(1)
	}
	return goesOn, nil
}

// stable asks for last stable offsets until ctx ends.
func (w *world) stable(ctx context.Context, name string) error {
	cl := w.client(kgo.AlwaysRetryEOF())
	defer cl.Close()
	a := kadm.NewClient(cl)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		op := Op{Client: name, Kind: Stable, Status: OK, Start: w.rec.now()}
		if ends, err := stableEnds(ctx, a); err == nil {
			op.Offsets = ends
			w.rec.add(op)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// stableEnds are the last stable offsets of all keys.
func stableEnds(ctx context.Context, a *kadm.Client) (map[string]int64, error) {
	listed, err := a.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	ends := map[string]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[keyOf(o.Topic, o.Partition)] = o.Offset })
	return ends, nil
}
