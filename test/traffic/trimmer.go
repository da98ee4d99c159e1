package traffic

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/test/leatproc"
)

// Trimmer deletes the beginning of a topic's partitions, again and again, behind
// the back of a producer.
type Trimmer struct {
	a    *kadm.Client
	p    *Producer
	done chan struct{}

	mu    sync.Mutex
	asked map[int32]int64 // the highest offset that was asked for
	told  map[int32]int64 // the highest start that was acknowledged
	n     int             // acknowledgements
	err   error
}

// NewTrimmer makes a trimmer; start it with `go tr.Run`.
func NewTrimmer(t testing.TB, addr string, p *Producer) *Trimmer {
	return &Trimmer{a: Admin(t, addr), p: p, done: make(chan struct{}), asked: map[int32]int64{}, told: map[int32]int64{}}
}

// Run goes on until ctx ends.
func (tr *Trimmer) Run(ctx context.Context) {
	defer close(tr.done)
	rng := rand.New(rand.NewPCG(3, 4))
	for ctx.Err() == nil {
		waitAcked(ctx, tr.p)
		partition := int32(rng.IntN(tr.p.Partitions))
		end := tr.p.Newest(partition)
		tr.mu.Lock()
		from := tr.told[partition]
		at := from + rng.Int64N(end-from+1)
		tr.asked[partition] = max(at, tr.asked[partition])
		tr.mu.Unlock()
		request := kadm.Offsets{}
		request.AddOffset(tr.p.Topic, partition, at, -1)
		responses, err := tr.a.DeleteRecords(ctx, request)
		if err != nil { // the broker is away, or was while it answered
			continue
		}
		r, _ := responses.Lookup(tr.p.Topic, partition)
		tr.mu.Lock()
		switch {
		case errors.Is(r.Err, context.Canceled), kerr.IsRetriable(r.Err): // a disk that has failed: until the restart
		case r.Err != nil:
			tr.err = r.Err
		case r.LowWatermark < at:
			tr.err = errors.New("the start is below what was asked for")
		default:
			tr.told[partition] = max(r.LowWatermark, tr.told[partition])
			tr.n++
		}
		tr.mu.Unlock()
	}
}

// waitAcked waits until the producer got on.
func waitAcked(ctx context.Context, p *Producer) {
	select {
	case <-p.Progress():
	case <-ctx.Done():
	}
}

// Done is closed when Run has ended.
func (tr *Trimmer) Done() <-chan struct{} { return tr.done }

// Count is how many deletions were acknowledged.
func (tr *Trimmer) Count() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.n
}

// WaitFor waits until n deletions were acknowledged.
func (tr *Trimmer) WaitFor(t testing.TB, n int) {
	t.Helper()
	leatproc.Until(t, Patience, "deletions of records", func() error {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if tr.err != nil {
			t.Fatal(tr.err)
		}
		return leatproc.Atleast(tr.n, n)
	})
}

// Acknowledged are the log starts that were, by partition.
func (tr *Trimmer) Acknowledged() map[int32]int64 {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return maps.Clone(tr.told)
}

// CheckStarts fails the test if a partition begins below what was acknowledged.
func (tr *Trimmer) CheckStarts(t testing.TB, acknowledged map[int32]int64) {
	t.Helper()
	for p, at := range Starts(t, tr.a, tr.p.Topic) {
		if at < acknowledged[p] {
			t.Errorf("partition %d begins at %d, and a deletion up to %d was acknowledged", p, at, acknowledged[p])
		}
	}
}

// Check fails the test if a partition begins elsewhere than at the last deletion
// that was acknowledged, or at one that was asked for later.
func (tr *Trimmer) Check(t testing.TB, log *Log) {
	if tr.err != nil {
		t.Error(tr.err)
	}
	for p, at := range log.Starts {
		if at < tr.told[p] || at > max(tr.asked[p], tr.told[p]) {
			t.Errorf("partition %d begins at %d: deletions up to %d were acknowledged, and up to %d asked for", p, at, tr.told[p], tr.asked[p])
		}
	}
	t.Logf("%d deletions of records", tr.n)
}
