package broker

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// Init gives a transactional id its producer id and epoch. It may abort the
// transaction of the one before first; then the answer is CONCURRENT_TRANSACTIONS.
func (t *Txns) Init(req *kmsg.InitProducerIDRequest, done func(txn.InitAnswer)) {
	e := txn.Init{ID: *req.TransactionalID, TimeoutMillis: req.TransactionTimeoutMillis, ProducerID: -1, Epoch: -1}
	if req.Version >= 3 {
		e.ProducerID, e.Epoch = req.ProducerID, req.ProducerEpoch
	}
	s, err := t.made(e.ID)
	askTxn(s, err, func(tok txn.Token) txn.Event { e.Token = tok; return e }, done, func(code int16) {
		done(txn.InitAnswer{Code: code, ProducerID: -1, Epoch: -1})
	})
}

// Add adds partitions to a transaction, or looks whether they are in it.
func (t *Txns) Add(e txn.Add, done func(txn.AddAnswer)) {
	s, err := t.shard(e.ID)
	askTxn(s, err, func(tok txn.Token) txn.Event { e.Token = tok; return e }, done, func(code int16) { done(txn.AddAnswer{Code: code}) })
}

// AddOffsets adds the partition of a group's offsets to a transaction.
func (t *Txns) AddOffsets(req *kmsg.AddOffsetsToTxnRequest, done func(code int16)) {
	sh, err := t.opt.Groups.shard(req.Group)
	if err != nil {
		done(groupCode(err))
		return
	}
	t.Add(txn.Add{
		ID: req.TransactionalID, ProducerID: req.ProducerID, Epoch: req.ProducerEpoch, V2: req.Version >= 4,
		Partitions: []txn.Partition{{Topic: OffsetsTopic, Partition: sh.partition}},
	}, func(a txn.AddAnswer) { done(a.Code) })
}

// End commits or aborts a transaction: when it is answered, all logs and groups know.
func (t *Txns) End(req *kmsg.EndTxnRequest, done func(txn.EndAnswer)) {
	e := txn.End{ID: req.TransactionalID, ProducerID: req.ProducerID, Epoch: req.ProducerEpoch, Commit: req.Commit, V2: req.Version >= 5}
	s, err := t.shard(e.ID)
	askTxn(s, err, func(tok txn.Token) txn.Event { e.Token = tok; return e }, done, func(code int16) {
		done(txn.EndAnswer{Code: code, ProducerID: -1, Epoch: -1})
	})
}

// Describe shows transactional ids.
func (t *Txns) Describe(req *kmsg.DescribeTransactionsRequest, done func(*kmsg.DescribeTransactionsResponse)) {
	res := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	res.TransactionStates = make([]kmsg.DescribeTransactionsResponseTransactionState, len(req.TransactionalIDs))
	all := gather(len(req.TransactionalIDs), func() { done(res) })
	for i, id := range req.TransactionalIDs {
		s, err := t.shard(id)
		if id == "" {
			err = kerr.InvalidRequest
		}
		askTxn(s, err, func(tok txn.Token) txn.Event { return txn.Describe{Token: tok, ID: id} },
			func(a kmsg.DescribeTransactionsResponseTransactionState) {
				res.TransactionStates[i] = a
				all()
			}, func(code int16) {
				s := &res.TransactionStates[i]
				s.Default()
				s.TransactionalID, s.ErrorCode = id, code
				all()
			})
	}
}

// List names the transactional ids that the request's filters take.
func (t *Txns) List(req *kmsg.ListTransactionsRequest, done func(*kmsg.ListTransactionsResponse)) {
	res := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	e := txn.List{ProducerIDs: req.ProducerIDFilters, OpenMillis: -1}
	if req.Version >= 1 {
		e.OpenMillis = req.DurationFilterMillis
	}
	if p := req.TransactionalIDPattern; p != nil && *p != "" {
		re, err := regexp.Compile(`^(?:` + *p + `)$`)
		if err != nil {
			res.ErrorCode = kerr.InvalidRegularExpression.Code
			done(res)
			return
		}
		e.Matches = re.MatchString
	}
	for _, name := range req.StateFilters {
		if s, ok := txn.StateNamed(name); ok {
			e.States = append(e.States, s)
		} else {
			res.UnknownStateFilters = append(res.UnknownStateFilters, name)
		}
	}
	if len(req.StateFilters) > 0 && len(e.States) == 0 {
		done(res) // nothing is in a state that does not exist
		return
	}
	shards, loading := t.shards.working()
	if loading {
		res.ErrorCode = kerr.CoordinatorLoadInProgress.Code // whoever asks again gets all
		done(res)
		return
	}
	var mu sched.Mutex
	all := gather(len(shards), func() {
		slices.SortFunc(res.TransactionStates, func(a, b kmsg.ListTransactionsResponseTransactionState) int {
			return strings.Compare(a.TransactionalID, b.TransactionalID)
		})
		done(res)
	})
	for _, s := range shards {
		e.Token = replyTo(func(answer any) {
			a := answer.(txn.ListAnswer)
			mu.Lock()
			res.TransactionStates = append(res.TransactionStates, a.Transactions...)
			res.ErrorCode = cmp.Or(res.ErrorCode, a.Code)
			mu.Unlock()
			all()
		})
		s.step(e)
	}
}

// WriteMarker ends a producer's transaction in one partition, whatever its coordinator
// says: an administrator's way out of a transaction that hangs (KIP-664). The error is
// a kerr; without one the marker is durable at the position.
func (t *Txns) WriteMarker(p *Partition, m kafka.Marker) (plog.Pos, error) {
	st, known := p.Log.Producer(m.ProducerID)
	switch {
	case p.Log.Fenced() != nil:
		return 0, kerr.KafkaStorageError
	case known && m.Epoch < st.Epoch:
		return 0, kerr.InvalidProducerEpoch
	case known && m.CoordinatorEpoch < st.CoordinatorEpoch:
		return 0, kerr.TransactionCoordinatorFenced
	}
	if err := t.opt.Store.EnableTransactions(); err != nil {
		return 0, err
	}
	op := plog.Mark(p.Log, m, t.opt.Now().UnixMilli())
	release := t.opt.Store.AwaitReserve(commitBytes)
	defer release()
	var g *groupShard
	if p.Topic() == OffsetsTopic {
		if g = t.opt.Groups.shardAt(p.Index); g == nil || !g.loaded.Load() {
			return 0, kerr.CoordinatorLoadInProgress
		}
	}
	if g == nil || g.broken != nil {
		_, pos, err := t.opt.Store.Submit(op)
		return pos, err
	}
	g.mu.Lock()
	_, pos, err := t.opt.Store.Submit(op)
	if err != nil {
		g.mu.Unlock()
		return 0, err
	}
	g.finish(g.ended(group.TxnEnd{ProducerID: m.ProducerID, Commit: m.Commit}, pos))
	return pos, nil
}
