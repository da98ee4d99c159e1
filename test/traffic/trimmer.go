package kill

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

// trimmer deletes the beginning of a topic's partitions, again and again, behind
// the back of a producer.
type trimmer struct {
	a    *kadm.Client
	p    *traffic.Producer
	done chan struct{}

	mu    sync.Mutex
	asked map[int32]int64 // the highest offset that was asked for
	told  map[int32]int64 // the highest start that was acknowledged
	n     int             // acknowledgements
	err   error
}

func newTrimmer(t *testing.T, addr string, p *traffic.Producer) *trimmer {
	return &trimmer{a: traffic.Admin(t, addr), p: p, done: make(chan struct{}), asked: map[int32]int64{}, told: map[int32]int64{}}
}

func (tr *trimmer) run(ctx context.Context) {
	defer close(tr.done)
	rng := rand.New(rand.NewPCG(3, 4))
	for ctx.Err() == nil {
		waitAcked(ctx, tr.p)
		partition := int32(rng.IntN(partitions))
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
		case errors.Is(r.Err, context.Canceled):
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
func waitAcked(ctx context.Context, p *traffic.Producer) {
	select {
	case <-p.Progress():
	case <-ctx.Done():
	}
}

func (tr *trimmer) count() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.n
}

func (tr *trimmer) waitFor(t *testing.T, n int) {
	t.Helper()
	leatproc.Until(t, traffic.Patience, "deletions of records", func() error {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if tr.err != nil {
			t.Fatal(tr.err)
		}
		return leatproc.Atleast(tr.n, n)
	})
}

func (tr *trimmer) acknowledged() map[int32]int64 {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return maps.Clone(tr.told)
}

// check fails the test if a partition begins elsewhere than at the last deletion
// that was acknowledged, or at one that was asked for later.
func (tr *trimmer) check(t *testing.T, log *traffic.Log) {
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
