package broker

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/txn"
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
	opt    TxnsOptions
	cfg    txn.Config
	shards coordShards[*txnShard]
	loop   coordLoop[*txnShard]
}

// TxnsOptions are what Txns stands on. All are needed.
type TxnsOptions struct {
	CoordOptions
	Groups *Groups
	// Epoch is the coordinator's epoch, which markers carry: the number of this start.
	Epoch int32
	// Partition finds a partition; nil when there is none.
	Partition     func(topic string, index int32) *Partition
	NewProducerID func() (int64, error)
}

// NewTxns loads the transactional ids that the log holds and starts to watch their
// deadlines. Records that cannot be read are skipped, and a partition whose log cannot
// be read is left out, both with a line in the log. A long log is read in the
// background; until a partition is through, its ids answer COORDINATOR_LOAD_IN_PROGRESS.
func NewTxns(opt TxnsOptions) *Txns {
	// The topic is not made before checkpoints tell of transactions.
	create := opt.CreateTopic
	opt.CreateTopic = func(ctx context.Context, name string, partitions int32, configs map[string]string) error {
		if err := opt.Store.EnableTransactions(); err != nil {
			return err
		}
		return create(ctx, name, partitions, configs)
	}
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
	t.loop.start(coordWork[*txnShard]{now: opt.Now, compare: byPartition[*txnShard], tick: (*txnShard).tick, settled: (*txnShard).settled})
	t.shards.start(&t.opt.CoordOptions, coordTopic[*txnShard]{
		name: TransactionsTopic, partitions: "transaction.state.log.num.partitions",
		configs: func(s *catalog.Snapshot) map[string]string {
			return map[string]string{
				"cleanup.policy":   "compact",
				"compression.type": "uncompressed",
				"segment.bytes":    strconv.FormatInt(s.Int("transaction.state.log.segment.bytes"), 10),
			}
		},
		shard: t.newShard, read: t.sayRead,
	})
	return t
}

// Close stops watching deadlines. Requests that still wait are not answered.
func (t *Txns) Close() {
	t.shards.stop()
	t.loop.stop()
}

// sayRead tells what was found in the log.
func (t *Txns) sayRead(shards []*txnShard, took time.Duration) {
	var n txn.Replayed
	for _, s := range shards {
		n.IDs += s.met.IDs
		n.Tombstones += s.met.Tombstones
		n.Skipped += s.met.Skipped
	}
	t.opt.Logger.Info("transactional ids loaded", "partitions", len(shards), "ids", n.IDs, "tombstones", n.Tombstones,
		"skipped", n.Skipped, "took", took)
}

// Ready makes __transaction_state if it does not exist yet. An error is a kerr that
// clients understand.
func (t *Txns) Ready(ctx context.Context) error { return t.shards.ready(ctx) }

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
	if len(t.shards.all()) == 0 {
		return nil, kerr.NotCoordinator
	}
	sh := t.shards.of(id)
	return sh, sh.usable()
}

// Available says whether the coordinator of a transactional id can be used: nil, or a
// kerr. One that is loading is here all the same; it says so itself.
func (t *Txns) Available(id string) error {
	_, err := t.made(id)
	return available(err)
}

// topicDeleted tells the machines that a topic is gone: what was decided about its
// damaged partitions has nobody to be told to any more.
func (t *Txns) topicDeleted(name string) {
	shards, _ := t.shards.working()
	for _, s := range shards {
		s.step(txn.Reachable{Topic: name})
	}
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
	release := s.opt.Store.AwaitReserve(txnBytes)
	defer release()
	s.step(event(replyTo(func(answer any) { done(answer.(A)) })))
}

var errNothingToAppend = errors.New("nothing is to be appended")
