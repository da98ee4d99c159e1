package txn

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/ledger"
)

// Coordinator holds the transactional ids of one partition of __transaction_state. It
// is not safe for concurrent use: the caller has a lock around it.
type Coordinator struct {
	cfg    Config
	txns   map[string]*txn
	alarms alarms // of open transactions
	// prepared are the ids of decisions that not all partitions know.
	prepared map[string]bool
	// expireAt is when expired ids are looked for next.
	expireAt time.Time

	writes ledger.Ledger[func(id uint64)] // with what to do when they are appended

	// Of the Step that runs.
	now time.Time
	out Effects
}

// New makes a Coordinator without transactional ids. It panics on a Config without
// NewProducerID.
func New(cfg Config) *Coordinator {
	if cfg.NewProducerID == nil {
		panic("txn.New: Config.NewProducerID is not set")
	}
	if cfg.Unreachable == nil {
		cfg.Unreachable = func(Partition) bool { return false }
	}
	return &Coordinator{cfg: cfg, txns: map[string]*txn{}, prepared: map[string]bool{}}
}

// Step takes one event and says what to do about it.
func (c *Coordinator) Step(now time.Time, e Event) Effects {
	c.now, c.out = now, Effects{}
	switch e := e.(type) {
	case Init:
		c.init(e)
	case Add:
		c.add(e)
	case Enter:
		c.enter(e)
	case End:
		c.end(e)
	case Describe:
		c.describe(e)
	case List:
		c.list(e)
	case Appended:
		c.appended(e)
	case Durable:
		c.writes.Settle(e.ID, e.Err)
	case Reachable:
		c.reachable(e)
	case Tick:
		c.tick()
	default:
		panic(fmt.Sprintf("txn: unknown event %T", e))
	}
	out := c.out
	c.out = Effects{}
	return out
}

// Loaded ends the replay: decisions that not all partitions know are told to those
// that can be written now. The Effects are to be carried out as those of a Step.
func (c *Coordinator) Loaded(now time.Time) Effects {
	c.now, c.out = now, Effects{}
	c.expireAt = now.Add(c.cfg.ExpirationCheckInterval)
	for _, t := range c.sorted() {
		switch {
		case t.state == Ongoing:
			c.wake(t, t.deadline())
		case t.prepared():
			c.prepared[t.id] = true
			c.complete(t)
		}
	}
	out := c.out
	c.out = Effects{}
	return out
}

// Deadline is when the next Tick is due; the zero time when none is: after the disk has
// failed there is nothing to be done before the next start.
func (c *Coordinator) Deadline() time.Time {
	if c.writes.Failed() != nil {
		return time.Time{}
	}
	next := c.expireAt
	if at, ok := c.alarms.first(); ok && (next.IsZero() || at.Before(next)) {
		next = at
	}
	return next
}

// retryAbort is how long an abort for a time-out waits whose write was refused.
const retryAbort = time.Second

// tick aborts what has taken too long and forgets what has not been used for long.
func (c *Coordinator) tick() {
	if c.writes.Failed() != nil {
		return
	}
	for _, t := range c.due() {
		switch {
		case t.state == Ongoing && c.now.Before(t.deadline()):
			c.wake(t, t.deadline())
		case t.state == Ongoing:
			if !t.said { // else the write was refused before
				c.note(t.id, "the transaction of producer %d is aborted: it is open for longer than its %d ms", t.producerID, t.timeout)
			}
			c.wake(t, c.now.Add(retryAbort)) // if the write is refused
			c.fence(t, late, nil)
			t.said = true
		case t.prepared():
			c.complete(t)
		}
	}
	if !c.now.Before(c.expireAt) {
		c.expire()
	}
}

// reachable completes the decisions that have waited for a topic.
func (c *Coordinator) reachable(e Reachable) {
	for _, id := range slices.Sorted(maps.Keys(c.prepared)) {
		if t := c.txns[id]; slices.ContainsFunc(t.partitions, func(p Partition) bool { return p.Topic == e.Topic }) {
			c.complete(t)
		}
	}
}

// expire forgets transactional ids that were not used for long.
func (c *Coordinator) expire() {
	c.expireAt = c.now.Add(c.cfg.ExpirationCheckInterval)
	limit := c.now.Add(-c.cfg.Expiration).UnixMilli()
	for _, t := range c.sorted() {
		if t.closed() && t.updated <= limit && t.lastWrite <= c.writes.Durable() {
			c.note(t.id, "the transactional id has not been used for %s: forgotten", c.cfg.Expiration)
			c.write(Write{Records: []Record{{Key: keyOf(t.id)}}}, func(uint64) { delete(c.txns, t.id) }, nil)
		}
	}
}

func (c *Coordinator) describe(e Describe) {
	s := kmsg.NewDescribeTransactionsResponseTransactionState()
	s.TransactionalID = e.ID
	t := c.txns[e.ID]
	if t == nil {
		s.ErrorCode = kerr.TransactionalIDNotFound.Code
		c.whenShown(c.writes.Last(), func(error) { c.reply(e.Token, s) })
		return
	}
	s.State, s.TimeoutMillis, s.StartTimestamp = t.state.String(), t.timeout, t.started
	s.ProducerID, s.ProducerEpoch = t.producerID, t.epoch
	for _, p := range t.partitions {
		if n := len(s.Topics); n == 0 || s.Topics[n-1].Topic != p.Topic {
			top := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			top.Topic = p.Topic
			s.Topics = append(s.Topics, top)
		}
		top := &s.Topics[len(s.Topics)-1]
		top.Partitions = append(top.Partitions, p.Partition)
	}
	c.whenShown(t.lastWrite, func(err error) {
		if err != nil {
			s = kmsg.NewDescribeTransactionsResponseTransactionState()
			s.TransactionalID, s.ErrorCode = e.ID, codeOf(err)
		}
		c.reply(e.Token, s)
	})
}

func (c *Coordinator) list(e List) {
	var a ListAnswer
	for _, t := range c.sorted() {
		switch {
		case len(e.States) > 0 && !slices.Contains(e.States, t.state):
		case len(e.ProducerIDs) > 0 && !slices.Contains(e.ProducerIDs, t.producerID):
		case e.OpenMillis >= 0 && c.now.UnixMilli()-t.started <= e.OpenMillis:
		case e.Matches != nil && !e.Matches(t.id):
		default:
			s := kmsg.NewListTransactionsResponseTransactionState()
			s.TransactionalID, s.ProducerID, s.TransactionState = t.id, t.producerID, t.state.String()
			a.Transactions = append(a.Transactions, s)
		}
	}
	c.whenShown(c.writes.Last(), func(err error) {
		if err != nil {
			a = ListAnswer{Code: codeOf(err)}
		}
		c.reply(e.Token, a)
	})
}

func (c *Coordinator) sorted() []*txn {
	return slices.SortedFunc(maps.Values(c.txns), func(a, b *txn) int { return strings.Compare(a.id, b.id) })
}

func (c *Coordinator) reply(t Token, answer any) {
	c.out.Replies = append(c.out.Replies, Reply{Token: t, Answer: answer})
}

func (c *Coordinator) note(id, format string, args ...any) {
	c.out.Notes = append(c.out.Notes, Note{Of: id, Text: fmt.Sprintf(format, args...)})
}
