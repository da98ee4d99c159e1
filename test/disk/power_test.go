package disk

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/test/disk/volatile"
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
// acks=all, committed, created or read by anybody is there when it comes back;
// what was deleted is not. (What was acknowledged with acks=1 may be gone, and is
// not looked for.)
func TestPowerCut(t *testing.T) {
	t.Parallel()
	small := func(n int) int { return n % 40 * 600 }
	for _, c := range []cutter{
		{name: "defaults", program: "./cmd/leat", kind: "ext4", cuts: 14, window: 100},
		{name: "small bounds", program: "./test/tuned", kind: "ext4", cuts: 16, window: 50, size: small},
		{name: "small bounds on xfs", program: "./test/tuned", kind: "xfs", cuts: 10, window: 50, size: small},
		{name: "small bounds on btrfs", program: "./test/tuned", kind: "btrfs", cuts: 10, window: 50, size: small},
		{name: "large records", program: "./cmd/leat", kind: "ext4", cuts: 6, window: 4, size: func(n int) int { return 60_000 + n%5*40_000 }},
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
	for _, topic := range []string{"all", "one", "trimmed"} {
		traffic.CreateTopic(t, a, topic, partitions, map[string]string{"segment.bytes": "1048576"})
	}
	producer := func(name, topic string, idempotent bool) *traffic.Producer {
		return traffic.NewProducer(t, s.Addr, traffic.Spec{Name: name, Topic: topic, Partitions: partitions, Idempotent: idempotent, Window: c.window, Size: c.size})
	}
	producers := []*traffic.Producer{producer("a", "all", true), producer("b", "all", true), producer("c", "one", false), producer("d", "trimmed", true)}
	trim := traffic.NewTrimmer(t, s.Addr, producers[3])
	churn := traffic.NewChurner(t, s.Addr)
	reader := traffic.NewReader(t, s.Addr, "readers", "all")
	working, stop := context.WithCancel(t.Context())
	defer stop()
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	for _, p := range producers {
		go p.Run(working)
	}
	go trim.Run(working)
	go churn.Run(working)
	go reader.Run(reading)

	lost, idle := volatile.Lost{}, 0
	cut := func(sectors int, most time.Duration, keep float64) {
		f.cutSoon(rng, sectors, most)
		churn.Interrupt()
		s.Kill()
		l := f.powerCycle(t, rng, keep)
		lost.Cached, lost.Kept = lost.Cached+l.Cached, lost.Kept+l.Kept
	}
	for i := range c.cuts {
		for _, p := range producers {
			p.WaitFor(t, p.Acked()+1+rng.IntN(2*c.window))
		}
		switch i % 3 {
		case 0:
			reader.WaitFor(t, reader.Commits()+1)
		case 1:
			churn.WaitFor(t, churn.Count()+1)
		case 2:
			trim.WaitFor(t, trim.Count()+1)
		}
		cut(4000, 100*time.Millisecond, []float64{0, 0.5, 0.95}[i%3])
		committed, starts, deleted, kept := reader.Acknowledged(), trim.Acknowledged(), churn.Deleted(), churn.Kept()
		if producers[0].UnderWay()+producers[1].UnderWay()+producers[3].UnderWay() == 0 {
			idle++
		}
		if i%2 == 1 { // and once more in the middle of the recovery
			s.Launch(t)
			cut(300, 60*time.Millisecond, 0.5)
		}
		s.Start(t)
		reader.CheckCommits(t, a, committed)
		trim.CheckStarts(t, starts)
		churn.CheckTopics(t, deleted, kept)
		if t.Failed() {
			t.Fatalf("so it is after cut %d", i)
		}
	}
	if lost.Cached == lost.Kept {
		t.Error("the disk has lost nothing: these were no power cuts")
	}
	if idle > c.cuts/4 {
		t.Errorf("%d of %d cuts met nobody at work: they show too little", idle, c.cuts)
	}
	stop()
	for _, p := range producers {
		p.Finish(t, a)
	}
	<-trim.Done()
	<-churn.Done()
	ends := traffic.Ends(t, a, "all")
	reader.CatchUp(t, ends)
	stopReading()
	<-reader.Done()
	reader.CheckCommits(t, a, ends)
	log := traffic.Read(t, s.Addr, "all")
	log.CheckOnly(t, producers...)
	producers[0].Check(t, log)
	producers[1].Check(t, log)
	reader.Check(t, log)
	log = traffic.Read(t, s.Addr, "trimmed")
	log.CheckOnly(t, producers...)
	producers[3].Check(t, log)
	trim.Check(t, log)
	traffic.Read(t, s.Addr, "one").CheckOnly(t, producers...)
	churn.Check(t)
	flushes, sectors := f.disk.Flushes()
	t.Logf("%d cuts: the disk had %d sectors in its cache and kept %d of them; %d flushes and %d sectors written in all", c.cuts+c.cuts/2, lost.Cached, lost.Kept, flushes, sectors)
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
