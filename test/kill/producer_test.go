package kill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// producer sends numbered records, without end and a window at a time.
type producer struct {
	name, topic string
	idempotent  bool
	cl          *kgo.Client
	slots       chan struct{}
	done        chan struct{}

	mu    sync.Mutex
	sent  int
	again int           // how often a record was sent once more, its outcome being unknown
	acked map[int]place // by number
	err   error
	more  chan struct{}
}

type place struct {
	partition int32
	offset    int64
}

// newProducer makes a producer that is idempotent and waits for the disk, or one with acks=1.
func newProducer(t *testing.T, s *leatproc.Server, name, topic string, idempotent bool) *producer {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic)}
	if idempotent {
		opts = append(opts, kgo.AlwaysRetryEOF())
	} else {
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	return &producer{name: name, topic: topic, idempotent: idempotent, cl: client(t, s, opts...),
		slots: make(chan struct{}, window), done: make(chan struct{}), acked: map[int]place{}, more: make(chan struct{})}
}

func (p *producer) value(n int) string { return fmt.Sprintf("%s %d", p.name, n) }

func (p *producer) run(ctx context.Context) {
	defer close(p.done)
	var under sync.WaitGroup
	for n := 0; ; n++ {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			under.Wait() // what is under way is still to be acknowledged
			return
		}
		p.mu.Lock()
		p.sent = n + 1
		p.mu.Unlock()
		under.Add(1)
		p.send(n, under.Done)
	}
}

// send sends record n, if need be again and again, until it is acknowledged or
// cannot be sent.
func (p *producer) send(n int, done func()) {
	p.cl.Produce(context.Background(), &kgo.Record{Partition: int32(n % partitions), Value: []byte(p.value(n))}, func(r *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case err == nil:
			p.acked[n] = place{r.Partition, r.Offset}
		case !p.idempotent && unknownOutcome(err):
			p.again++
			go p.send(n, done)
			return
		default:
			p.err = fmt.Errorf("record %q: %w", r.Value, err)
		}
		close(p.more)
		p.more = make(chan struct{})
		<-p.slots
		done()
	})
}

// unknownOutcome tells whether an error only says that the connection ended
// before the answer: the record may be in the log or not. The client itself
// sends again after most of these, but not when the connection was a new one.
func unknownOutcome(err error) bool {
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return first || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (p *producer) underWay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent - len(p.acked)
}

func (p *producer) waitFor(t *testing.T, n int) {
	t.Helper()
	waitFor(t, "acknowledgements of producer "+p.name, n, func() (int, <-chan struct{}) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.acked), p.more
	}, p.failed)
}

func (p *producer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// finish waits until all that was sent is acknowledged.
func (p *producer) finish(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	sent := p.sent
	p.mu.Unlock()
	p.waitFor(t, sent)
	<-p.done
}

// check finds each acknowledged record where it was said to be, and each record
// once and in order if the producer is idempotent.
func (p *producer) check(t *testing.T, log []*kgo.Record) {
	t.Helper()
	at := map[place]string{}
	copies := map[string]int{}
	newest := map[int32]int{}
	for _, r := range log {
		value := string(r.Value)
		at[place{r.Partition, r.Offset}] = value
		if !strings.HasPrefix(value, p.name+" ") {
			continue
		}
		copies[value]++
		var n int
		if _, err := fmt.Sscanf(value[len(p.name):], "%d", &n); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		if last, ok := newest[r.Partition]; ok && n <= last && p.idempotent {
			t.Errorf("%q comes after %d in partition %d", value, last, r.Partition)
		}
		newest[r.Partition] = n
	}
	lost, repeats := 0, 0
	for n, where := range p.acked {
		if got := at[where]; got != p.value(n) {
			lost++
			t.Errorf("%q was acknowledged at %v, where %q is", p.value(n), where, got)
		}
		repeats += copies[p.value(n)] - 1
	}
	if p.idempotent && repeats != 0 {
		t.Errorf("producer %s: %d records too many", p.name, repeats)
	}
	if bound := window * kills * 2; repeats > bound {
		t.Errorf("producer %s: %d repeats; not more than %d can have been under way at the kills", p.name, repeats, bound)
	}
	t.Logf("producer %s: %d acknowledged, %d lost, %d repeated, %d sent again by the test", p.name, len(p.acked), lost, repeats, p.again)
}

// checkNobodyElse fails the test for records that nobody sent.
func checkNobodyElse(t *testing.T, log []*kgo.Record, producers []*producer) {
	t.Helper()
	sent := map[string]bool{}
	for _, p := range producers {
		for n := range p.sent {
			sent[p.value(n)] = true
		}
	}
	for _, r := range log {
		if !sent[string(r.Value)] {
			t.Errorf("%s/%d/%d: %q, which nobody sent", r.Topic, r.Partition, r.Offset, r.Value)
		}
	}
}
