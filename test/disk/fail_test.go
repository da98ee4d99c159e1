package disk

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

// TestFailingDisk lets the disk answer writes and flushes with I/O errors while
// clients are at work. Linux tells of it once, at an fsync, and drops what it
// could not write. Producers are refused from then on until a restart, even when
// the disk has recovered; readers go on; nothing that was acknowledged is lost.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	f := newVolatile(t, "ext4", 512<<20)
	s := leatproc.New(t, "./cmd/leat", filepath.Join(f.Dir, "data"))
	s.Start(t)
	a := traffic.Admin(t, s.Addr)
	for _, topic := range []string{"all", "probe"} {
		traffic.CreateTopic(t, a, topic, partitions, nil)
	}
	p := traffic.NewProducer(t, s.Addr, traffic.Spec{Name: "a", Topic: "all", Partitions: partitions, Idempotent: true, Window: 100, Size: func(n int) int { return n % 7 * 200 }})
	working, stop := context.WithCancel(t.Context())
	defer stop()
	go p.Run(working)
	probe := func() error {
		cl := traffic.Client(t, s.Addr, kgo.DefaultProduceTopic("probe"), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0))
		defer cl.Close()
		return cl.ProduceSync(t.Context(), &kgo.Record{Value: []byte("probe")}).FirstErr()
	}
	for i := range 3 {
		p.WaitFor(t, p.Acked()+300)
		f.disk.Fail(true)
		leatproc.Until(t, traffic.Patience, "producers are refused", func() error {
			switch err := probe(); {
			case err == nil:
				return errors.New("a record is taken")
			case !errors.Is(err, kerr.KafkaStorageError):
				t.Fatalf("a failing disk is told as %v", err)
			}
			return nil
		})
		acked := p.Acked()
		ends := traffic.Ends(t, a, "all")
		sum := int64(0)
		for _, end := range ends {
			sum += end
		}
		if sum < int64(acked) {
			t.Fatalf("%d records were acknowledged and %d can be read", acked, sum)
		}
		traffic.Read(t, s.Addr, "all").CheckOnly(t, p)
		f.disk.Fail(false)
		if err := probe(); !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("a sync that failed is forgotten: %v", err)
		}
		f.disk.Cut()
		s.Kill()
		f.powerCycle(t, rand.New(rand.NewPCG(5, uint64(i))), 0)
		s.Start(t)
	}
	p.WaitFor(t, p.Acked()+300)
	stop()
	p.Finish(t, a)
	log := traffic.Read(t, s.Addr, "all")
	log.CheckOnly(t, p)
	p.Check(t, log)
}
