package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

const partitions = 4

// cutter is a broker on a disk that loses power again and again.
type cutter struct {
	name, program string
	kind          string // of file system
	cuts          int    // under load; each second is followed by one in the recovery
	// window and size are the producers' (see traffic.Spec).
	window int
	size   func(n int) int
}

// TestPowerCut takes the power away under load. What was acknowledged with
// acks=all, committed, or read by anybody is there when it comes back. (What was
// acknowledged with acks=1 may be gone, and is not looked for.)
func TestPowerCut(t *testing.T) {
	small := func(n int) int { return n % 40 * 600 }
	for _, c := range []cutter{
		{name: "defaults", program: "./cmd/leat", kind: "ext4", cuts: 16, window: 100},
		{name: "small bounds", program: "./test/tuned", kind: "ext4", cuts: 20, window: 50, size: small},
		{name: "small bounds on xfs", program: "./test/tuned", kind: "xfs", cuts: 12, window: 50, size: small},
		{name: "small bounds on btrfs", program: "./test/tuned", kind: "btrfs", cuts: 12, window: 50, size: small},
		{name: "large records", program: "./cmd/leat", kind: "ext4", cuts: 8, window: 4, size: func(n int) int { return 60_000 + n%5*40_000 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c cutter) run(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d (of the moments and of what the disk keeps)", seed)
	f := newVolatile(t, c.kind, 4<<30)
	s := leatproc.New(t, c.program, filepath.Join(f.Dir, "data"))
	s.Start(t)
	a := traffic.Admin(t, s.Addr)
	for _, topic := range []string{"all", "one"} {
		traffic.CreateTopic(t, a, topic, partitions, map[string]string{"segment.bytes": "4194304"})
	}
	spec := traffic.Spec{Topic: "all", Partitions: partitions, Idempotent: true, Window: c.window, Size: c.size}
	var producers []*traffic.Producer
	for _, name := range []string{"a", "b"} {
		spec.Name = name
		producers = append(producers, traffic.NewProducer(t, s.Addr, spec))
	}
	beside := traffic.NewProducer(t, s.Addr, traffic.Spec{Name: "c", Topic: "one", Partitions: partitions, Window: c.window, Size: c.size})
	reader := traffic.NewReader(t, s.Addr, "readers", "all")
	working, stop := context.WithCancel(t.Context())
	defer stop()
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	for _, p := range append(producers, beside) {
		go p.Run(working)
	}
	go reader.Run(reading)

	var topics []string
	cached, kept := 0, 0
	for i := range c.cuts {
		for _, p := range append(producers, beside) {
			p.WaitFor(t, p.Acked()+1+rng.IntN(4*c.window))
		}
		reader.WaitFor(t, reader.Commits()+1)
		topics = append(topics, fmt.Sprintf("made-before-cut-%d", i))
		traffic.CreateTopic(t, a, topics[i], 1, nil)
		f.cutSoon(rng, 4000, 100*time.Millisecond)
		committed := reader.Acknowledged()
		busy := 0
		for _, p := range producers {
			busy += p.UnderWay()
		}
		if busy == 0 {
			t.Fatalf("cut %d met nobody at work", i)
		}
		s.Kill()
		lost := f.powerCycle(t, rng, []float64{0, 0.5, 0.95}[i%3])
		cached, kept = cached+lost.Cached, kept+lost.Kept
		if i%2 == 1 { // and once more in the middle of the recovery
			s.Launch(t)
			f.cutSoon(rng, 300, 60*time.Millisecond)
			s.Kill()
			lost := f.powerCycle(t, rng, 0.5)
			cached, kept = cached+lost.Cached, kept+lost.Kept
		}
		s.Start(t)
		reader.CheckCommits(t, a, committed)
		checkThere(t, s.Addr, topics)
		if t.Failed() {
			t.Fatalf("so it is after cut %d", i)
		}
	}
	if cached == kept {
		t.Error("the disk has lost nothing: these were no power cuts")
	}
	stop()
	for _, p := range append(producers, beside) {
		p.Finish(t, a)
	}
	ends := traffic.Ends(t, a, "all")
	reader.CatchUp(t, ends)
	stopReading()
	<-reader.Done()
	reader.CheckCommits(t, a, ends)
	log := traffic.Read(t, s.Addr, "all")
	log.CheckOnly(t, producers...)
	for _, p := range producers {
		p.Check(t, log)
	}
	reader.Check(t, log)
	traffic.Read(t, s.Addr, "one").CheckOnly(t, beside)
	flushes, sectors := f.disk.Flushes()
	t.Logf("%d cuts: the disk had %d sectors in its cache and kept %d of them; %d flushes and %d sectors written in all", c.cuts+c.cuts/2, cached, kept, flushes, sectors)
}

// checkThere fails the test if a topic that was created is not there.
func checkThere(t *testing.T, addr string, topics []string) {
	t.Helper()
	cl := traffic.Client(t, addr, kgo.AlwaysRetryEOF())
	defer cl.Close()
	ids, err := traffic.TopicIDs(t.Context(), cl, topics...)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		if _, there := ids[topic]; !there {
			t.Errorf("topic %s was created and is not there", topic)
		}
	}
}

// TestPowerCutBites shows that the test above can fail: a broker that does not
// sync loses records that it has acknowledged.
func TestPowerCutBites(t *testing.T) {
	t.Parallel()
	f := newVolatile(t, "ext4", 4<<30)
	s := leatproc.New(t, "./cmd/leat", filepath.Join(f.Dir, "data"), "--durability", "relaxed")
	s.Start(t)
	traffic.CreateTopic(t, traffic.Admin(t, s.Addr), "all", partitions, nil)
	p := traffic.NewProducer(t, s.Addr, traffic.Spec{Name: "a", Topic: "all", Partitions: partitions, Idempotent: true, Window: 50})
	working, stop := context.WithCancel(t.Context())
	defer stop()
	go p.Run(working)
	p.WaitFor(t, 500)
	f.disk.Cut()
	s.Kill()
	acked := p.Acked()
	f.powerCycle(t, rand.New(rand.NewPCG(1, 1)), 0)
	if err := s.TryStart(t); err != nil {
		t.Logf("%d records were acknowledged, and the broker does not even start: %v", acked, err)
		return
	}
	ends := kadm.ListedOffsets{}
	leatproc.Until(t, traffic.Patience, "an answer", func() (err error) {
		ends, err = traffic.Admin(t, s.Addr).ListEndOffsets(t.Context(), "all")
		return err
	})
	there := int64(0)
	ends.Each(func(o kadm.ListedOffset) { there += max(0, o.Offset) })
	if there >= int64(acked) {
		t.Errorf("%d records were acknowledged without a sync and all %d are there after a power cut: the cut takes nothing", acked, there)
	}
	t.Logf("%d records were acknowledged, %d are left", acked, there)
}
