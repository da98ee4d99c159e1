package broker

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// TransactionsTopic is where transactional ids are kept.
const TransactionsTopic = catalog.TransactionsTopic

// Txns is the transaction coordinator: the machines of package txn, one per partition
// of __transaction_state, with a lock, the log and the clock around each. Its methods
// may be called from any goroutine. They do not wait, but for the topic to be made: what
// they are asked for is handed to the callback, exactly once, from any goroutine and
// maybe before they return. A callback must not block.
//
// Locks are taken in this order: a shard of Txns, shards of Groups by partition, logs.
type Txns struct {
	opt TxnsOptions
	cfg txn.Config

	// shards are the machines, by partition; nil until the topic exists.
	shards atomic.Pointer[[]*txnShard]
	create sched.Mutex // held while the topic is made
	loop   coordLoop[*txnShard]
	loads  sched.WaitGroup
}

// TxnsOptions are what Txns stands on. All are needed.
type TxnsOptions struct {
	Store   *plog.Store
	Catalog *catalog.Catalog
	Groups  *Groups
	// Epoch is the coordinator's epoch, which markers carry: the number of this start.
	Epoch int32
	// Partition finds a partition; nil when there is none.
	Partition func(topic string, index int32) *Partition
	// CreateTopic makes a topic of the broker's own; see GroupsOptions.
	CreateTopic   func(ctx context.Context, name string, partitions int32, configs map[string]string) error
	NewProducerID func() (int64, error)
	Logger        *slog.Logger
	Now           func() time.Time
	// LoadAtOnce is how many bytes of the log are read before NewTxns returns; more of
	// them are read in the background. 0 = 256 KiB; negative = none.
	LoadAtOnce int64
}

// NewTxns loads the transactional ids that the log holds and starts to watch their
// deadlines. Records that cannot be read are skipped, and a partition whose log cannot
// be read is left out, both with a line in the log. A long log is read in the
// background; until a partition is through, its ids answer COORDINATOR_LOAD_IN_PROGRESS.
func NewTxns(opt TxnsOptions) *Txns {
	s := opt.Catalog.Snapshot()
	t := &Txns{opt: opt, cfg: txn.DefaultConfig()}
	t.cfg.MaxTimeout = s.Millis("transaction.max.timeout.ms")
	t.cfg.Expiration = s.Millis("transactional.id.expiration.ms")
	t.cfg.ExpirationCheckInterval = s.Millis("transaction.remove.expired.transaction.cleanup.interval.ms")
	t.cfg.MaxPartitions = opt.Store.MaxMarkers()
	t.cfg.NewProducerID = opt.NewProducerID
	t.cfg.Unreachable = func(p txn.Partition) bool {
		part := opt.Partition(p.Topic, p.Partition)
		return part != nil && part.Log.Fenced() != nil
	}
	t.loop.start(opt.Now)
	if topic := s.Topic(TransactionsTopic); topic != nil {
		t.load(topic)
	}
	return t
}

// Close stops watching deadlines. Requests that still wait are not answered.
func (t *Txns) Close() {
	t.loop.stop()
	t.loads.Wait()
}

// load makes the machines of the topic, which exists, and reads their logs: before it
// returns when they are short, else in the background.
func (t *Txns) load(topic *catalog.Topic) {
	shards := make([]*txnShard, topic.Partitions)
	var size int64
	for p := range shards {
		shards[p] = &txnShard{
			txns: t, partition: int32(p), machine: txn.New(t.cfg),
			log: t.opt.Store.Log(plog.ID{Topic: topic.ID, Partition: int32(p)}),
		}
		if log := shards[p].log; log != nil {
			size += log.Size()
		}
	}
	limit := t.opt.LoadAtOnce
	if limit == 0 {
		limit = loadAtOnce
	}
	if size <= limit {
		t.read(shards)
		t.shards.Store(&shards)
		return
	}
	t.shards.Store(&shards)
	t.loads.Go(func() { t.read(shards) })
}

func (t *Txns) read(shards []*txnShard) {
	var n txn.Replayed
	began := sched.Now()
	for _, s := range shards {
		s.load(&n)
	}
	t.opt.Logger.Info("transactional ids loaded", "partitions", len(shards), "ids", n.IDs, "tombstones", n.Tombstones,
		"skipped", n.Skipped, "took", sched.Now().Sub(began))
}

// Ready makes __transaction_state if it does not exist yet. An error is a kerr that
// clients understand.
func (t *Txns) Ready(ctx context.Context) error {
	if t.shards.Load() != nil {
		return nil
	}
	t.create.Lock()
	defer t.create.Unlock()
	if t.shards.Load() != nil {
		return nil
	}
	s := t.opt.Catalog.Snapshot()
	err := t.opt.Store.EnableTransactions()
	if err == nil {
		err = t.opt.CreateTopic(ctx, TransactionsTopic, int32(s.Int("transaction.state.log.num.partitions")), map[string]string{
			"cleanup.policy":   "compact",
			"compression.type": "uncompressed",
			"segment.bytes":    strconv.FormatInt(s.Int("transaction.state.log.segment.bytes"), 10),
		})
	}
	if err != nil {
		t.opt.Logger.Error("the transactions' topic cannot be made; clients are told to try again", "topic", TransactionsTopic, "err", err)
		return kerr.CoordinatorNotAvailable
	}
	topic := t.opt.Catalog.Snapshot().Topic(TransactionsTopic)
	if topic == nil {
		return kerr.CoordinatorNotAvailable // deleted in the same moment
	}
	t.load(topic)
	return nil
}

// made is shard for a transactional id that may be new: the topic is made for the first
// one.
func (t *Txns) made(id string) (*txnShard, error) {
	s, err := t.shard(id)
	if err != kerr.NotCoordinator {
		return s, err
	}
	if err := t.Ready(context.Background()); err != nil {
		return nil, err
	}
	return t.shard(id)
}

// shard returns the machine of a transactional id. Before there is one nobody is its
// coordinator, as in Kafka: a client looks for it, and has it made thereby.
func (t *Txns) shard(id string) (*txnShard, error) {
	if len(id) > math.MaxInt16 {
		return nil, kerr.InvalidRequest // no record of the state could have it for its key
	}
	p := t.shards.Load()
	if p == nil {
		return nil, kerr.NotCoordinator
	}
	s := *p
	sh := s[groupPartition(id, len(s))] // Kafka's choice is the same for both
	switch {
	case !sh.loaded.Load():
		return nil, kerr.CoordinatorLoadInProgress
	case sh.broken != nil:
		return nil, kerr.CoordinatorNotAvailable
	}
	return sh, nil
}

// Available says whether the coordinator of a transactional id can be used: nil, or a
// kerr. One that is loading is here all the same; it says so itself.
func (t *Txns) Available(id string) error {
	_, err := t.made(id)
	if errors.Is(err, kerr.CoordinatorLoadInProgress) {
		return nil
	}
	return err
}

// topicDeleted tells the machines that a topic is gone: what was decided about its
// damaged partitions has nobody to be told to any more.
func (t *Txns) topicDeleted(name string) {
	shards, _ := t.all()
	for _, s := range shards {
		s.step(txn.Reachable{Topic: name})
	}
}

// all returns the machines that work, none when the topic does not exist, and whether
// there are others that are still loading.
func (t *Txns) all() (out []*txnShard, loading bool) {
	if p := t.shards.Load(); p != nil {
		for _, s := range *p {
			switch {
			case !s.loaded.Load():
				loading = true
			case s.broken == nil:
				out = append(out, s)
			}
		}
	}
	return out, loading
}

// txnBytes is about what a change of a transaction of ordinary size takes in the log.
const txnBytes = 4 << 10

// askTxn steps an event in a machine and hands the answer on. Without a machine, err
// being why, refused gets the error code. It may wait for room in the log.
func askTxn[A any](s *txnShard, err error, event func(txn.Token) txn.Event, done func(A), refused func(code int16)) {
	if err != nil {
		refused(groupCode(err))
		return
	}
	release := s.txns.opt.Store.AwaitReserve(txnBytes)
	defer release()
	s.step(event(replyTo(func(answer any) { done(answer.(A)) })))
}

var errNothingToAppend = errors.New("nothing is to be appended")
