package broker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/coord/ledger"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
)

// coordLog is one partition of a coordinator's topic, with the lock for what is made of
// it.
type coordLog struct {
	opt       *CoordOptions
	topic     string
	partition int32
	log       *plog.Log // nil when there is none, which makes it broken

	broken error // why the log could not be read; nothing is served then
	// loaded says that broken is settled and the machine can be used. It is set once, of
	// groups and transactions with mu held.
	loaded atomic.Bool

	mu      sched.Mutex
	refused bool // the log took no write the last time
}

// String names the partition in log lines.
func (l *coordLog) String() string { return fmt.Sprintf("%s-%d", l.topic, l.partition) }

func (l *coordLog) index() int32 { return l.partition }

// usable is nil, or the kerr for who asks for what is in the partition.
func (l *coordLog) usable() error {
	switch {
	case !l.loaded.Load():
		return kerr.CoordinatorLoadInProgress
	case l.broken != nil:
		return kerr.CoordinatorNotAvailable
	}
	return nil
}

// available is usable for who looks for the coordinator: one that is still being read
// is here all the same; it says so itself.
func available(err error) error {
	if errors.Is(err, kerr.CoordinatorLoadInProgress) {
		return nil
	}
	return err
}

var errNoLog = errors.New("the catalogue names this partition, but it has no log")

// read has replay take in the whole log, and begin the service, which sets loaded and
// lets go of mu: it is called with mu held. Neither is done when ctx ends before.
func (l *coordLog) read(ctx context.Context, replay func(kafka.Batch) error, begin func()) {
	err := errNoLog
	if l.log != nil {
		err = l.log.Fenced()
	}
	if err == nil {
		err = l.log.ReadAll(func(b kafka.Batch) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return replay(b)
		})
	}
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	if err == nil {
		begin()
		return
	}
	l.broken = err
	l.loaded.Store(true)
	l.mu.Unlock()
	l.opt.Logger.Error("this partition of a coordinator cannot be read; what is in it is not available", "partition", l, "err", err)
}

// maxCoordRecords bounds the opening of a compressed batch of a coordinator's topic. The
// broker's own are not compressed.
const maxCoordRecords = 64 << 20

// eachRecord has take take in the records of a batch; those that it cannot read are left
// out and told to skipped.
func eachRecord(b kafka.Batch, take func(kafka.Record) error, skipped func(offset int64, err error)) error {
	for r, err := range b.Records(maxCoordRecords) {
		if err != nil {
			return err
		}
		if err := take(r); err != nil {
			skipped(r.Offset, err)
		}
	}
	return nil
}

func (l *coordLog) skipped(offset int64, err error) {
	l.opt.Logger.Warn("a record of a coordinator's topic cannot be read and is skipped", "partition", l, "offset", offset, "err", err)
}

// appending is the change that appends records of now as one batch.
func (l *coordLog) appending(spec kafka.BatchSpec, records []ledger.Record) plog.Op {
	now := l.opt.Now().UnixMilli()
	rs := make([]kafka.Record, len(records))
	for i, r := range records {
		rs[i] = kafka.Record{Timestamp: now, Key: r.Key, Value: r.Value}
	}
	return plog.Append(l.log, kafka.Build(spec, rs))
}

// appended notes what became of an append: it is said when refusals begin and when they
// end, for clients come back every moment. Called with mu held.
func (l *coordLog) appended(err error) {
	refused := err != nil
	if refused == l.refused {
		return
	}
	if l.refused = refused; refused {
		l.opt.Logger.Error("the log refuses what a coordinator wants to write", "partition", l, "err", err)
	} else {
		l.opt.Logger.Info("the log takes what a coordinator writes again", "partition", l)
	}
}

// replyTo is the token of every request: it takes the answer.
type replyTo func(answer any)

// tell notes what an operator may want to read, which is about the subject that each
// note names, and sends the answers. Called without mu.
func (l *coordLog) tell(subject string, notes []ledger.Note, replies []ledger.Reply) {
	for _, n := range notes {
		l.opt.Logger.Info(n.Text, subject, n.Of)
	}
	for _, r := range replies {
		r.Token.(replyTo)(r.Answer)
	}
}
