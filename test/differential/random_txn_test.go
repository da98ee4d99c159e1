package differential

import (
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// Steps of transactions.

const txns = 2 // transactional ids

// txnState is what the client of a transactional id knows.
type txnState struct {
	pid   int64
	epoch int16
}

func (w *world) txnID(slot int) string { return fmt.Sprintf("x%d-%s", slot, w.run) }

// soon are errors that only mean: not yet. Kafka ends a transaction after it has
// answered, and says so to whoever is too quick.
var soon = map[int16]bool{
	kerr.ConcurrentTransactions.Code: true, kerr.CoordinatorLoadInProgress.Code: true, kerr.CoordinatorNotAvailable.Code: true,
	kerr.NotCoordinator.Code: true, kerr.NotEnoughReplicas.Code: true,
}

// insist is ask for a request that may have come too early: only its last answer is noted.
func (w *world) insist(what string, req kmsg.Request, version int16) kmsg.Response {
	w.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; {
		from, label := len(w.lines), w.label
		resp := w.ask(what, req, version)
		if resp == nil || !early(reflect.ValueOf(resp)) || time.Now().After(deadline) {
			return resp
		}
		w.lines, w.label = w.lines[:from], label
	}
}

// early tells whether an error code anywhere in an answer is one of soon.
func early(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && early(v.Elem())
	case reflect.Struct:
		if f := v.FieldByName("ErrorCode"); f.IsValid() && soon[int16(f.Int())] {
			return true
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && early(v.Field(i)) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if early(v.Index(i)) {
				return true
			}
		}
	}
	return false
}

// as is the producer that a request claims to be: mostly the true one.
func (w *world) as(d *dice) (slot int, id string, t txnState, label string) {
	slot = d.n(txns)
	t = w.txn[slot]
	how := pick(d, "itself", "itself", "itself", "itself", "itself", "itself", "the next epoch", "the last epoch", "another producer", "an unknown id")
	if w.plain && (how == "another producer" || how == "an unknown id") {
		how = "itself"
	}
	id = w.txnID(slot)
	if w.plain && t.pid < 0 {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &id, 60_000
		w.begun(slot, "first", req, 4)
		t = w.txn[slot]
	}
	if t.pid < 0 { // nobody has the id yet
		t = txnState{w.pid[0], 0}
	}
	switch how {
	case "the next epoch":
		t.epoch++
	case "the last epoch":
		t.epoch = max(0, t.epoch-1)
	case "another producer":
		t.pid = w.pid[0]
	case "an unknown id":
		id = "nosuch-" + w.run
	}
	return slot, id, t, fmt.Sprintf("x%d as %s", slot, how)
}

// txnsStep is how such a sequence begins: one of the transactional ids has its producer.
func (w *world) txnsStep(d *dice) {
	w.setupStep(d)
	req := kmsg.NewPtrInitProducerIDRequest()
	id := w.txnID(0)
	req.TransactionalID, req.TransactionTimeoutMillis = &id, 60_000
	w.begun(0, "x0", req, 4)
}

func (w *world) initStep(d *dice) {
	slot := d.n(txns)
	req := kmsg.NewPtrInitProducerIDRequest()
	id := w.txnID(slot)
	req.TransactionalID, req.TransactionTimeoutMillis = &id, pick[int32](d, 60_000, 60_000, 60_000, 60_000, 0, -1, 1_000_000_000)
	version := d.version(0, 5)
	what := fmt.Sprintf("x%d timeout %d", slot, req.TransactionTimeoutMillis)
	if version >= 3 && d.one(3) {
		req.ProducerID, req.ProducerEpoch = w.txn[slot].pid, w.txn[slot].epoch
		what += " goes on"
		if d.one(3) {
			req.ProducerEpoch++
			what += " with the next epoch"
		}
	}
	w.begun(slot, what, req, version)
}

// begun asks for a producer id and keeps it.
func (w *world) begun(slot int, what string, req *kmsg.InitProducerIDRequest, version int16) {
	if resp, _ := w.insist(what, req, version).(*kmsg.InitProducerIDResponse); resp != nil && resp.ErrorCode == 0 {
		w.txn[slot] = txnState{resp.ProducerID, resp.ProducerEpoch}
		for p := range slots * partitions { // sequences begin again
			delete(w.next, fmt.Sprintf("x%d/%d", slot, p))
		}
	}
	w.ended(slot)
}

func (w *world) addPartitionsStep(d *dice) {
	_, id, t, who := w.as(d)
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, t.pid, t.epoch
	what := who
	for range 1 + d.n(2) {
		name, _, label := w.topicOf(d)
		p := pick[int32](d, 0, 0, 0, 1, 7)
		req.Topics = append(req.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: name, Partitions: []int32{p}})
		what += fmt.Sprintf(" %s/%d", label, p)
		if d.one(2) {
			break
		}
	}
	if len(req.Topics) == 2 && req.Topics[0].Topic == req.Topics[1].Topic {
		req.Topics = req.Topics[:1]
	}
	w.insist(what, req, d.version(0, 3))
}

// transactionalStep sends a batch of a transaction to one partition: mostly the next.
func (w *world) transactionalStep(d *dice) {
	slot, txn, t, who := w.as(d)
	topic := d.n(2)
	partition := int32(0)
	if topic == 0 {
		partition = int32(d.n(2))
	}
	at := fmt.Sprintf("x%d/%d", slot, topic*partitions+int(partition))
	sequence := w.next[at]
	// Not two mistakes at once, of which either may be told, and nothing that one of
	// the two only remembers: see TestRepeatOfAnEndedTransaction and
	// TestFirstSequenceOfATransaction. Gaps and repeats are idempotentStep's.
	version, own := d.version(3, 13), w.txn[slot]
	switch {
	case t.pid != own.pid:
		sequence = 0
	case t.epoch != own.epoch:
		return
	}
	b := kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: t.pid, Epoch: t.epoch, Sequence: sequence}},
		[]kafka.Record{{Key: []byte("k"), Value: []byte(fmt.Sprint("x", sequence)), Timestamp: w.base + int64(sequence)}})
	req := produce(w.topicName(topic), w.idOf(topic), -1, b)
	req.TransactionID = &txn
	req.Topics[0].Partitions[0].Partition = partition
	resp, _ := w.insist(fmt.Sprintf("%s t%d/%d epoch %d sequence %d", who, topic, partition, t.epoch, sequence), req, version).(*kmsg.ProduceResponse)
	if resp != nil && resp.Topics[0].Partitions[0].ErrorCode == 0 && t == own {
		w.next[at] = max(w.next[at], sequence+1)
	}
}

func (w *world) addOffsetsStep(d *dice) {
	_, id, t, who := w.as(d)
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, t.pid, t.epoch
	group := d.n(groups)
	req.Group = w.groupName(group)
	w.insist(fmt.Sprintf("%s g%d", who, group), req, d.version(0, 4))
}

func (w *world) commitOffsetsStep(d *dice) {
	_, id, t, who := w.as(d)
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, t.pid, t.epoch
	group := d.n(groups)
	req.Group, req.Generation = w.groupName(group), -1
	name, _, label := w.topicOf(d)
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch = partitionOf(d), int64(d.n(20)), -1
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{rp}}}
	version := d.version(0, 5)
	if id == "nosuch-"+w.run {
		return // see TestOffsetsOfAnotherTransaction
	}
	if version < 5 && d.one(8) { // v5: see TestRefusedOffsetsOfATransaction
		req.Generation, req.MemberID = 7, "somebody"
		who += " of a wrong member"
	}
	w.insist(fmt.Sprintf("%s g%d %s/%d=%d", who, group, label, rp.Partition, rp.Offset), req, version)
}

func (w *world) endStep(d *dice) {
	slot, id, t, who := w.as(d)
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = id, t.pid, t.epoch, d.one(2)
	version := d.version(0, 5)
	resp, _ := w.insist(fmt.Sprintf("%s commit %v", who, req.Commit), req, version).(*kmsg.EndTxnResponse)
	if resp != nil && resp.ErrorCode == 0 && version >= 5 && resp.ProducerID >= 0 {
		next := txnState{resp.ProducerID, resp.ProducerEpoch}
		if next != w.txn[slot] {
			for p := range slots * partitions {
				delete(w.next, fmt.Sprintf("x%d/%d", slot, p))
			}
		}
		w.txn[slot] = next
	}
	w.ended(slot)
}

// ended waits until the transaction's end is complete: Kafka answers before its
// markers are written.
func (w *world) ended(slot int) { w.endedBy(w.txnID(slot)) }

func (w *world) endedBy(id string) {
	w.t.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		switch ask[*kmsg.DescribeTransactionsResponse](w.side, req, 0).TransactionStates[0].State {
		case "PrepareCommit", "PrepareAbort", "PrepareEpochFence":
		default:
			return
		}
	}
	w.t.Fatal(w.name, ": a transaction never ends")
}

func (w *world) describeTxnsStep(d *dice) {
	slot := d.n(txns)
	switch d.n(3) {
	case 0:
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{w.txnID(slot), "nosuch-" + w.run}
		w.insist(fmt.Sprint("x", slot, " and one that is not there"), req, 0)
	case 1:
		req := kmsg.NewPtrListTransactionsRequest()
		req.StateFilters = pick(d, nil, []string{"Ongoing"}, []string{"CompleteCommit", "Nosuch"}, []string{"Empty", "CompleteAbort"})
		if d.one(3) {
			req.ProducerIDFilters = []int64{w.txn[slot].pid}
		}
		version := d.version(0, 2)
		if version == 2 && d.one(2) {
			req.TransactionalIDPattern = kmsg.StringPtr(pick(d, "x0.*", "nothing", "x1-[A-Z0-9]+", "x", ".*", "", "(", "(?i)X[01]-.*", "x1|x0-.*"))
		}
		req.DurationFilterMillis = pick[int64](d, -1, -1, -1, 3_600_000) // nothing takes that long
		w.insist(fmt.Sprintf("%q of x%d %v like %s for %d", req.StateFilters, slot, len(req.ProducerIDFilters) > 0, text(req.TransactionalIDPattern), req.DurationFilterMillis), req, version)
	case 2:
		req := kmsg.NewPtrDescribeProducersRequest()
		name, _, label := w.topicOf(d)
		req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: name, Partitions: []int32{0, 1, 7}}}
		w.insist(label, req, 0)
	}
}

// readCommitted reads a partition whole, as read_committed.
func (w *world) readCommittedStep(d *dice) {
	topic := d.n(2)
	partition := int32(d.n(2))
	req := fetch(w.topicName(topic), w.idOf(topic), partition, int64(d.n(8)))
	req.IsolationLevel = 1
	what := fmt.Sprintf("t%d/%d from %d", topic, partition, req.Topics[0].Partitions[0].FetchOffset)
	w.ask(what, req, d.version(4, 18))
	list := listOffsets(w.topicName(topic), partition, -1, -1)
	list.IsolationLevel = 1
	w.ask(what, list, d.version(2, 11))
}

// txnOps are the kinds of steps of random transactions.
var txnOps = []op{
	{"setup", 0, (*world).txnsStep},
	{"init", 8, (*world).initStep},
	{"add partitions", 10, (*world).addPartitionsStep},
	{"transactional", 20, (*world).transactionalStep},
	{"add offsets", 5, (*world).addOffsetsStep},
	{"commit offsets", 6, (*world).commitOffsetsStep},
	{"end", 12, (*world).endStep},
	{"describe", 5, (*world).describeTxnsStep},
	{"read committed", 10, (*world).readCommittedStep},
	{"fetch", 3, (*world).fetchStep},
	{"list offsets", 3, (*world).listOffsetsStep},
	{"fetch offsets", 4, (*world).fetchOffsetsStep},
	{"produce", 3, (*world).produceStep},
	{"delete records", 1, (*world).deleteRecordsStep},
}
