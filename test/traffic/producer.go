package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Spec says what a producer does.
type Spec struct {
	// Name is one word, its own.
	Name, Topic string
	Partitions  int
	// Idempotent producers wait for the disk (acks=all); the others use acks=1.
	Idempotent bool
	// Window is how many records it has under way.
	Window int
	// Size is how many bytes record n is filled up with; nil = none.
	Size func(n int) int
}

// Producer sends numbered records, without end and a window at a time.
type Producer struct {
	Spec
	cl    *kgo.Client
	slots chan struct{}
	done  chan struct{}

	mu    sync.Mutex
	sent  int
	again int             // how often a record was sent once more, its outcome being unknown
	acked map[int]Place   // by number
	ends  map[int32]int64 // one past the highest acknowledged offset
	err   error
	more  chan struct{}
}

// NewProducer makes a producer; start it with `go p.Run`.
func NewProducer(t testing.TB, addr string, spec Spec) *Producer {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(spec.Topic), kgo.ProducerBatchCompression(kgo.NoCompression())}
	if spec.Idempotent {
		opts = append(opts, kgo.AlwaysRetryEOF())
	} else {
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	return &Producer{Spec: spec, cl: Client(t, addr, opts...), slots: make(chan struct{}, spec.Window),
		done: make(chan struct{}), acked: map[int]Place{}, ends: map[int32]int64{}, more: make(chan struct{})}
}

func (p *Producer) id(n int) ID { return ID{p.Name, n} }

// Run sends until ctx ends and then waits for the acknowledgements that are missing.
func (p *Producer) Run(ctx context.Context) {
	defer close(p.done)
	var under sync.WaitGroup
	for n := 0; ; n++ {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			under.Wait()
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
func (p *Producer) send(n int, done func()) {
	size := 0
	if p.Size != nil {
		size = p.Size(n)
	}
	r := &kgo.Record{Partition: int32(n % p.Partitions), Value: p.id(n).value(size)}
	p.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case err == nil:
			p.acked[n] = placeOf(r)
			p.ends[r.Partition] = max(p.ends[r.Partition], r.Offset+1)
		case !p.Idempotent && unknownOutcome(err):
			p.again++
			go p.send(n, done)
			return
		default:
			p.err = fmt.Errorf("record %v: %w", p.id(n), err)
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

// UnderWay is how many records are sent and not acknowledged.
func (p *Producer) UnderWay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent - len(p.acked)
}

// Acked is how many records are acknowledged.
func (p *Producer) Acked() int {
	n, _ := p.count()
	return n
}

// Newest is one past the highest acknowledged offset of a partition.
func (p *Producer) Newest(partition int32) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends[partition]
}

func (p *Producer) count() (int, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked), p.more
}

// WaitFor waits until n records are acknowledged. A record that fails fails the test.
func (p *Producer) WaitFor(t testing.TB, n int) {
	t.Helper()
	waitFor(t, "acknowledgements of producer "+p.Name, n, p.count, p.Err)
}

// Err is why a record could not be sent.
func (p *Producer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Finish waits, after the end of Run's ctx, until all that was sent is
// acknowledged, and until all of that can be read: with acks=1 that is a moment
// later. What cannot be read then is for Check to tell.
func (p *Producer) Finish(t testing.TB, a *kadm.Client) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		t.Fatalf("producer %s has still %d records under way after %v", p.Name, p.UnderWay(), Patience)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ends, behind := Ends(t, a, p.Topic), false
		for partition, end := range p.ends {
			behind = behind || ends[partition] < end
		}
		if !behind {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			return
		}
	}
}

// Check finds each acknowledged record where it was said to be, and each record
// once and in order if the producer is idempotent. What lies below the log's
// start was deleted and is not looked for.
func (p *Producer) Check(t testing.TB, log *Log) (lost int) {
	t.Helper()
	copies := map[int]int{}
	newest := map[int32]int{}
	for _, r := range log.Records {
		if r.ID.Producer != p.Name {
			continue
		}
		copies[r.ID.N]++
		if last, ok := newest[r.Place.Partition]; ok && r.ID.N <= last && p.Idempotent {
			t.Errorf("%v comes after %d in partition %d", r.ID, last, r.Place.Partition)
		}
		newest[r.Place.Partition] = r.ID.N
	}
	repeats := 0
	for n, where := range p.acked {
		if where.Offset < log.Starts[where.Partition] {
			continue
		}
		if got, ok := log.at[where]; !ok || got != p.id(n) {
			lost++
			if lost <= 10 {
				t.Errorf("%v was acknowledged at %v, where %v is (%v)", p.id(n), where, got, ok)
			}
		}
		repeats += max(0, copies[n]-1)
	}
	if p.Idempotent && repeats != 0 {
		t.Errorf("producer %s: %d records too many", p.Name, repeats)
	}
	t.Logf("producer %s: %d acknowledged, %d lost, %d repeated, %d sent again by the test", p.Name, len(p.acked), lost, repeats, p.again)
	return lost
}

// Progress is closed at the producer's next acknowledgement.
func (p *Producer) Progress() <-chan struct{} {
	_, more := p.count()
	return more
}
