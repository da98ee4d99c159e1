//go:build sim

package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/isolation"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// Transactional clients write to a topic of their own, and commit offsets of it for a
// group, in every third seed.
const (
	txnTopic      = "tx"
	txnPartitions = 3
	txnGroup      = "gx"
)

// txnWorld is what clients remember of transactions, over all lives.
type txnWorld struct {
	on      bool
	clients []*txnClient
	byID    map[string]*sentTxn // by record
	stable  [txnPartitions]int64
	told    told
	made    bool // the topic is there
	ruined  bool // errors of the disk have been taken for damage
}

// outcome of a transaction, as its client knows it.
type txnOutcome int

const (
	txnOpen txnOutcome = iota
	txnCommitting
	txnAborting
	txnCommitted // told, or seen
	txnAborted
)

func (o txnOutcome) String() string {
	return [...]string{"open", "being committed", "being aborted", "committed", "aborted"}[o]
}

// sentTxn is one transaction.
type sentTxn struct {
	name     string
	n        int // in told
	client   int
	producer int64
	outcome  txnOutcome
	records  []txnRecord
	offset   int64 // committed for the group with it; 0: none
}

type txnRecord struct {
	id        string
	partition int32
	offset    int64
}

// txnClient is a transactional producer. It outlives its broker's lives.
type txnClient struct {
	r        *run
	n        int
	v1       bool
	pid      int64
	epoch    int16
	ready    bool // it has an epoch of this life
	seq      [txnPartitions]int32
	count    int
	last     *sentTxn // open, or not known to be through
	offset   int64    // of its partition of the group: the newest that counts
	produced *int     // records, of all that have had its transactional id
	fence    int      // its InitProducerId in told
}

func newTxnWorld(seed uint64) txnWorld {
	g := rand.New(rand.NewPCG(seed, 0x7a7a))
	w := txnWorld{on: seed%3 == 0, byID: map[string]*sentTxn{}}
	for range 1 + g.IntN(3) {
		w.clients = append(w.clients, &txnClient{n: len(w.clients), v1: g.IntN(3) == 0, produced: new(int)})
	}
	return w
}

// transact runs the transactional clients and a reader of committed data.
func (r *run) transact(clients *sched.WaitGroup) {
	if !r.txns.on || r.txns.ruined {
		return
	}
	if err := r.b.EnsureTopic(context.Background(), txnTopic, txnPartitions, nil); err != nil {
		if !r.ill() {
			r.hist.note("topic for transactions: %v", err) // no room, as for others
		}
		return
	}
	r.txns.made = true
	for _, c := range r.txns.clients {
		c.r, c.ready = r, false
		clients.Go(c.work)
	}
	clients.Go(func() {
		for range r.tune.work {
			pause()
			if err := r.readCommitted(int32(sched.Draw(txnPartitions)), false); err != nil {
				r.fail("read committed: %v", err)
			}
		}
	})
}

func (c *txnClient) work() {
	for range 2 * c.r.tune.work {
		pause()
		if !c.ready && !c.init() {
			continue
		}
		c.transaction()
	}
}

// init begins anew: what was open is aborted, and what was being decided is through.
func (c *txnClient) init() bool {
	r := c.r
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionTimeoutMillis = 4, 900_000
	if sched.Draw(6) == 0 {
		req.TransactionTimeoutMillis = 300
	}
	req.TransactionalID = kmsg.StringPtr(fmt.Sprintf("id%d", c.n))
	done := sched.NewEvent()
	fence := r.txns.told.fence(c)
	var got txn.InitAnswer
	r.b.Txns.Init(req, func(a txn.InitAnswer) { got = a; done.Set() })
	done.Wait()
	r.hist.note("client %d: producer %d/%d, %v", c.n, got.ProducerID, got.Epoch, kerr.ErrorForCode(got.Code))
	if got.Code != 0 {
		r.stat.Refused++
		if got.Code != kerr.ConcurrentTransactions.Code && !r.ill() && !short(got.Code) {
			r.fail("client %d: InitProducerId: %v", c.n, kerr.ErrorForCode(got.Code))
		}
		return false
	}
	if c.pid == got.ProducerID && got.Epoch <= c.epoch {
		r.fail("client %d: epoch %d after %d of producer %d", c.n, got.Epoch, c.epoch, c.pid)
	}
	r.txns.told.fenced(fence, got.ProducerID, got.Epoch)
	c.pid, c.epoch, c.ready, c.fence = got.ProducerID, got.Epoch, true, fence
	c.seq = [txnPartitions]int32{}
	if err := c.settle(); err != nil {
		r.fail("client %d: %v", c.n, err)
	}
	return c.ready
}

// short says that the tiny write-ahead log may have had no room.
func short(code int16) bool {
	switch code {
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code, kerr.KafkaStorageError.Code, kerr.NotEnoughReplicas.Code:
		return true
	}
	return false
}

// settle finds out what has become of the last transaction: nothing of it is under way
// any more.
func (c *txnClient) settle() error {
	t := c.last
	if t == nil {
		return nil
	}
	r := c.r
	if t.outcome == txnOpen || t.outcome == txnAborting {
		t.outcome = txnAborted
	}
	if t.outcome == txnCommitting {
		visible, err := r.visible(t)
		if err != nil {
			c.ready = false // it cannot be read; the next time
			return nil
		}
		t.outcome = txnAborted
		if visible == len(t.records) && visible > 0 {
			t.outcome = txnCommitted
		} else if visible > 0 {
			return fmt.Errorf("%s: %d of its %d records are committed", t.name, visible, len(t.records))
		}
		if len(t.records) == 0 {
			// Only its offset tells.
			if at, ok := r.groupOffset(c); !ok {
				t.outcome, c.ready = txnCommitting, false
				return nil
			} else if at == t.offset {
				t.outcome = txnCommitted
			}
		}
	}
	if t.outcome == txnCommitted && t.offset > 0 {
		c.offset = t.offset
	}
	c.last = nil
	if at, ok := r.groupOffset(c); ok && at != c.offset {
		return fmt.Errorf("%s is %s, and the group's offset is %d instead of %d", t.name, t.outcome, at, c.offset)
	}
	return nil
}

// visible counts the records of a transaction that has ended which are not aborted.
// Readers may not get there yet: transactions of others may be open before them.
func (r *run) visible(t *sentTxn) (n int, err error) {
	for _, rec := range t.records {
		aborted, err := r.b.Partition(txnTopic, rec.partition).Log.Aborted(rec.offset, rec.offset+1)
		if err != nil {
			return 0, r.txnRead(err)
		}
		if !slices.ContainsFunc(aborted, func(a plog.AbortedTxn) bool { return a.ProducerID == t.producer }) {
			n++
		}
	}
	return n, nil
}

// transaction is one: some records, maybe an offset, and its end.
func (c *txnClient) transaction() {
	r := c.r
	c.count++
	t := &sentTxn{name: fmt.Sprintf("transaction %d of client %d", c.count, c.n), producer: c.pid, client: c.n}
	t.n = r.txns.told.transaction(t.name, c.fence)
	c.last = t
	for range sched.Draw(4) {
		pause()
		if !c.send(t, int32(sched.Draw(txnPartitions))) {
			c.ready = false
			return
		}
	}
	if sched.Draw(15) == 0 {
		c.usurp(t)
		return
	}
	if sched.Draw(3) == 0 && !c.commitOffset(t) {
		c.ready = false
		return
	}
	if len(t.records) == 0 && t.offset == 0 {
		c.last = nil
		return
	}
	pause()
	if sched.Draw(12) == 0 {
		c.ready = false // it is gone, and comes back as another
		return
	}
	commit := sched.Draw(3) > 0
	t.outcome = txnAborting
	if commit {
		t.outcome = txnCommitting
	}
	done := sched.NewEvent()
	var got txn.EndAnswer
	c.end(t, commit, func(a txn.EndAnswer) { got = a; done.Set() })
	if sched.Draw(2) == 0 && len(t.records) > 0 {
		// Somebody reads right behind it, before it is answered.
		if err := r.readCommitted(t.records[0].partition, false); err != nil {
			r.fail("read committed: %v", err)
		}
	}
	done.Wait()
	r.hist.note("%s: %s: %v", t.name, t.outcome, kerr.ErrorForCode(got.Code))
	if got.Code != 0 {
		c.ready = false // it may have taken too long, or there is no room
		return
	}
	r.stat.Txns++
	how := isolation.Aborted
	if commit {
		how = isolation.Committed
	}
	r.txns.told.ended(t.n, how)
	if commit && t.outcome == txnCommitting {
		t.outcome = txnCommitted
	} else if !commit {
		t.outcome = txnAborted
	}
	if !c.v1 {
		if got.Epoch != c.epoch+1 || got.ProducerID != c.pid {
			r.fail("client %d goes on as %d/%d after %d/%d", c.n, got.ProducerID, got.Epoch, c.pid, c.epoch)
		}
		c.epoch = got.Epoch
		c.seq = [txnPartitions]int32{}
	}
	if err := c.settle(); err != nil {
		r.fail("%v", err)
	}
}

// end asks for the end of a transaction.
func (c *txnClient) end(t *sentTxn, commit bool, done func(txn.EndAnswer)) {
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.Commit = 5, commit
	if c.v1 {
		req.Version = 4
	}
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = fmt.Sprintf("id%d", c.n), c.pid, c.epoch
	c.r.hist.note("%s: %s", t.name, t.outcome)
	c.r.txns.told.ask(t.n)
	c.r.b.Txns.End(req, done)
}

// send appends one record, and waits for its answer.
func (c *txnClient) send(t *sentTxn, p int32) bool {
	r := c.r
	at := r.b.Partition(txnTopic, p)
	if c.v1 && !c.add(p) {
		return false
	}
	*c.produced++
	id := fmt.Sprintf("x%d-%d", c.n, *c.produced)
	b := kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: c.pid, Epoch: c.epoch, Sequence: c.seq[p]}},
		[]kafka.Record{{Timestamp: sched.Now().UnixMilli(), Key: []byte("k"), Value: []byte(id)}})
	r.txns.byID[id] = t
	note := r.txns.told.send(t.n, c, p, id)
	got, err := r.b.ProduceFrom(context.Background(), at, b, broker.TxnProducer{ID: fmt.Sprintf("id%d", c.n), Implicit: !c.v1}, false)
	r.hist.note("%s: %s to %s-%d: offset %d, %v", t.name, id, txnTopic, p, got.Base, err)
	if err != nil {
		r.stat.Refused++
		return false
	}
	c.seq[p]++
	if err := r.b.Store.Wait(context.Background(), got.Pos); err != nil {
		return false
	}
	r.stat.Records++
	r.txns.told.sent(note, got.Base)
	t.records = append(t.records, txnRecord{id, p, got.Base})
	return true
}

// add is AddPartitionsToTxn, as producers from before send it.
func (c *txnClient) add(p int32) bool {
	done := sched.NewEvent()
	var code int16
	c.r.b.Txns.Add(txn.Add{
		ID: fmt.Sprintf("id%d", c.n), ProducerID: c.pid, Epoch: c.epoch, Partitions: []txn.Partition{{Topic: txnTopic, Partition: p}},
	}, func(a txn.AddAnswer) { code = a.Code; done.Set() })
	done.Wait()
	return code == 0
}

// commitOffset commits the next offset of its partition in the transaction.
func (c *txnClient) commitOffset(t *sentTxn) bool {
	r := c.r
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.TransactionalID, req.Group, req.Generation = 5, fmt.Sprintf("id%d", c.n), txnGroup, -1
	req.ProducerID, req.ProducerEpoch = c.pid, c.epoch
	if c.v1 {
		req.Version = 3
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.Version, add.TransactionalID, add.Group, add.ProducerID, add.ProducerEpoch = 3, req.TransactionalID, txnGroup, c.pid, c.epoch
		done := sched.NewEvent()
		var code int16
		r.b.Txns.AddOffsets(add, func(got int16) { code = got; done.Set() })
		done.Wait()
		if code != 0 {
			return false
		}
	}
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch = int32(c.n), int64(c.count), -1
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic, rt.Partitions = txnTopic, []kmsg.TxnOffsetCommitRequestTopicPartition{rp}
	req.Topics = append(req.Topics, rt)
	done := sched.NewEvent()
	code := int16(0)
	r.b.Txns.CommitOffsets(req, func(res *kmsg.TxnOffsetCommitResponse) {
		code = res.Topics[0].Partitions[0].ErrorCode
		done.Set()
	})
	done.Wait()
	r.hist.note("%s: offset %d: %v", t.name, c.count, kerr.ErrorForCode(code))
	if code != 0 {
		return false
	}
	t.offset = int64(c.count)
	return true
}

// groupOffset asks for the offset that a client's transactions have committed; false
// when it cannot be had.
func (r *run) groupOffset(c *txnClient) (int64, bool) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, txnGroup
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic, rt.Partitions = txnTopic, []int32{int32(c.n)}
	req.Topics = append(req.Topics, rt)
	done := sched.NewEvent()
	offset, code := int64(-1), int16(0)
	r.b.Groups.Fetch(req, func(res *kmsg.OffsetFetchResponse) {
		if code = res.ErrorCode; code == 0 && len(res.Topics) > 0 {
			code, offset = res.Topics[0].Partitions[0].ErrorCode, res.Topics[0].Partitions[0].Offset
		}
		done.Set()
	})
	done.Wait()
	return max(offset, 0), code == 0
}

// checkTxns compares, after a start, what has become of all transactions: every client
// begins anew, so that none is open, and then all agree.
func (r *run) checkTxns() error {
	w := &r.txns
	if !w.on || w.ruined {
		return nil
	}
	s := r.b.Catalog.Snapshot()
	if s.Topic(txnTopic) == nil {
		if w.made {
			return fmt.Errorf("topic %s is gone", txnTopic)
		}
		return nil
	}
	w.made = true
	for _, t := range []string{txnTopic, broker.TransactionsTopic, broker.OffsetsTopic} {
		if topic := s.Topic(t); topic != nil {
			for p := range topic.Partitions {
				if r.b.Partition(t, p).Log.Fenced() != nil {
					w.ruined = true // checkFenced has judged it
					return nil
				}
			}
		}
	}
	for p := range int32(txnPartitions) {
		if err := r.readCommitted(p, false); err != nil {
			return err
		}
	}
	for _, c := range w.clients {
		c.r, c.ready = r, false
		for tries := 0; !c.ready; tries++ {
			if c.init(); !c.ready && (r.ill() || tries > 50) {
				return nil // there is no room, or the disk is ill: the clients try again
			}
			pause()
		}
	}
	for p := range int32(txnPartitions) {
		if err := r.readCommitted(p, true); err != nil {
			return err
		}
		check, err := r.b.Partition(txnTopic, p).Log.Check(context.Background())
		if err == nil && !check.OK() && !r.faulty() {
			return fmt.Errorf("%s-%d does not agree with what is remembered of it: %+v", txnTopic, p, check)
		}
	}
	return nil
}
