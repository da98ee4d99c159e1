//go:build sim

package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// epoch is when every run begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// run is one seed: the lives of one data directory.
type run struct {
	seed uint64
	rng  *rand.Rand // for what is drawn between lives
	hist history
	mem  memory
	fs   *vfs.Mem
	now  time.Time
	cfg  broker.Config
	tune tuning
	txns txnWorld

	life   *life
	b      *broker.Broker
	d      *disk
	untidy bool // the disk has failed since the last start that looked for what is left over
	sick   bool // the disk has failed, and the power has not gone since
	stat   Stats
}

// tuning is what differs from seed to seed.
type tuning struct {
	names      []string
	producers  int
	readers    int
	sharers    int // members of the share group
	work       int // operations of each client and life
	partitions int
	segment    int64 // bytes
	index      int
	big        int // one of so many records is large
	faults     bool
}

// life is the time between two starts.
type life struct {
	n     int
	end   ending
	clean bool // Close comes before the end
	full  bool // the disk fills up, and is emptied again
	ended bool // by a cut
}

// ending is how a life ends.
type ending int

const (
	killed  ending = iota // kill -9: what was written stays
	cutSome               // loss of power: some of what was not synced stays
	cutNone               // nothing of it
	cutAll                // all of it
	killCut               // kill -9, and then a loss of power
	endings               //
)

func (e ending) String() string {
	return [...]string{"kill -9", "power cut", "power cut that leaves only what was synced", "power cut that leaves all", "kill -9 and a power cut"}[e]
}

// power reports whether what was not synced may be gone.
func (e ending) power() bool { return e != killed }

// Stats counts what a run has met.
type Stats struct {
	Lives, Ops, Records, Acked, Read, Commits, Topics, Refused, Faults, Duplicates, Compactions, DeletedRecords, CutRecoveries, Flips, Shared, Txns, Team, Dependencies, LegalCycles int
}

func newRun(seed uint64, trace bool) *run {
	r := &run{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x11fe)), fs: vfs.NewMem(), now: epoch}
	r.hist.keep = trace
	r.mem = memory{byID: map[string]*record{}, pids: map[int64]bool{}}
	r.txns = newTxnWorld(seed)
	r.draw()
	return r
}

// oneOf draws one of some values.
func oneOf[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

func (r *run) draw() {
	g := r.rng
	r.tune = tuning{
		names: []string{"a", "b", "c", "d"}[:1+g.IntN(4)], producers: 1 + g.IntN(4), readers: 1 + g.IntN(2), work: 3 + g.IntN(20), partitions: 1 + g.IntN(3),
		segment: oneOf[int64](g, 600, 4<<10, 32<<10, 1<<20), index: oneOf(g, 1, 100, 4096), big: oneOf(g, 4, 20, 1<<30), faults: g.IntN(3) == 0,
		sharers: g.IntN(3),
	}
	wal := oneOf[int64](g, 64<<10, 128<<10, 512<<10)
	r.cfg = broker.Config{
		Dir: "/data",
		Static: map[string]string{
			"offsets.topic.num.partitions":                           "2",
			"share.coordinator.state.topic.num.partitions":           "2",
			"share.coordinator.snapshot.update.records.per.snapshot": oneOf(g, "3", "500"),
			"errors.deadletterqueue.auto.create.topics.enable":       "true",

			"transaction.state.log.num.partitions": "2",
			"log.retention.check.interval.ms":      oneOf(g, "20", "500", "60000"),
			"log.cleaner.backoff.ms":               oneOf(g, "5", "100", "15000"),
			"group.initial.rebalance.delay.ms":     "0",

			"group.consumer.assignment.interval.ms": fmt.Sprint(1000 * (r.seed / 2 % 2)),
		},
		Store: plog.Options{
			WALFileSize: wal, WALFiles: 3 + g.IntN(4), DirectBytes: oneOf(g, 700, 4<<10, 128<<10), DirectFewBytes: oneOf(g, 0, 300), CheckpointBytes: oneOf[int64](g, 8<<10, 64<<10, 1<<30),
			CheckpointEvery: oneOf(g, 5*time.Millisecond, 200*time.Millisecond, 30*time.Second), OpenFiles: oneOf(g, 1, 3, 256), DiskReserve: oneOf[int64](g, -1, 64<<10),
			SyncTogether: oneOf(g, -1, 2, 16), RecoveryMemory: oneOf(g, 4<<10, 64<<10, 64<<20),
			CompactMemory: oneOf[int64](g, 24*3, 1<<20),
		},
		Now: sched.Now,
	}
}

// errCut ends the lives of a run that is over.
func (r *run) lives() error {
	n := 2 + r.rng.IntN(4)
	for i := range n {
		if err := r.live(i, i == n-1); err != nil {
			return fmt.Errorf("life %d (to end with %s): %w", i+1, r.life.end, err)
		}
	}
	if err := r.checkIsolation(); err != nil {
		return err
	}
	if r.rng.IntN(3) == 0 && !r.mem.ruined && !r.mem.groupsRuined && !r.sick {
		return r.flip()
	}
	return nil
}

// live is one life: it opens the broker, works and ends as drawn. The last one has
// no accident, and leaves nothing behind.
func (r *run) live(n int, last bool) error {
	g := r.rng
	l := &life{n: n, end: ending(g.IntN(int(endings))), clean: g.IntN(6) == 0}
	r.life, r.d = l, newDisk(r.fs, g)
	r.d.TraceTo(^vfs.Op(0), func(line string) { r.hist.note("%s", line) })
	r.d.cut = r.cut
	if last {
		l.clean = g.IntN(3) > 0
	} else if g.IntN(5) > 0 {
		r.d.cutAt = 1 + g.IntN(1<<(2+g.IntN(10)))
	}
	if !last && r.tune.faults {
		if g.IntN(2) == 0 {
			r.d.fail(g)
		}
		l.full = g.IntN(3) == 0
	}
	r.cfg.FS = r.d
	r.stat.Lives++
	err := sched.Run(sched.Options{Seed: g.Uint64(), Start: r.now, MaxSteps: 1_000_000}, func() { r.within(l) })
	r.stat.Ops += r.d.changes
	if r.faulty() {
		r.stat.Faults++
	}
	r.b = nil
	if err != nil {
		return err
	}
	r.after(l)
	return nil
}

// cut ends the life here and now.
func (r *run) cut() {
	r.hist.note("-- %s", r.life.end)
	r.life.ended = true
	if r.b == nil {
		r.stat.CutRecoveries++
	}
	r.finish()
	sched.Stop()
}

// finish takes the disk as the life leaves it.
func (r *run) finish() {
	r.now = sched.Now()
	seed := uint64(sched.Draw(1<<31)) + 1
	switch r.life.end {
	case killed:
		r.fs = r.d.mem.Kill()
	case cutNone:
		r.fs = r.d.mem.Crash(vfs.KeepNone, seed)
	case cutAll:
		r.fs = r.d.mem.Crash(vfs.KeepAll, seed)
	case killCut:
		r.fs = r.d.mem.Kill().Crash(vfs.KeepSome, seed)
	default:
		r.fs = r.d.mem.Crash(vfs.KeepSome, seed)
	}
}

// after is what a life leaves in the clients' minds.
func (r *run) after(l *life) {
	r.fs.SetSpace(1 << 40)
	r.untidy = r.untidy || r.d.hit()
	keep := !l.end.power() && !r.faulty()
	r.sick = r.faulty() && l.end == killed
	if keep {
		return
	}
	// What was only written may be gone: a power cut takes it, and so does a failed sync.
	for _, t := range r.mem.topics {
		for _, p := range t.parts {
			for _, rec := range p.at {
				if rec.level == written {
					rec.level = unknown
				}
			}
		}
	}
}

// within is a life from inside: the World's first task.
func (r *run) within(l *life) {
	r.hist.note("-- life %d, %d topics remembered", l.n+1, len(r.mem.topics))
	b, err := broker.Open(r.cfg)
	if err != nil {
		r.hist.note("-- open: %v", err)
		switch {
		case r.mem.ruined:
		case r.faulty() && strings.Contains(err.Error(), "damaged"):
			r.mem.ruined = true // an error of the disk was taken for damage of the catalogue
		case !r.faulty():
			r.fail("the broker does not start after a crash: %v", err)
		}
		r.finish()
		return
	}
	r.b = b
	if err := r.check(); err != nil {
		if errors.Is(err, errDisk) {
			r.finish()
			return
		}
		r.fail("after the start: %v", err)
	}
	r.work()
	if l.clean {
		r.hist.note("-- close")
		if err := b.Close(); err != nil && !r.faulty() && !l.full {
			r.fail("close: %v", err)
		} else if err == nil && !r.faulty() && !r.untidy {
			if err := r.leftovers(); err != nil {
				r.fail("after a clean stop: %v", err)
			}
		}
	}
	r.hist.note("-- %s", l.end)
	r.finish()
}

// work runs the clients until they are done.
func (r *run) work() {
	var clients sched.WaitGroup
	ctx, stop := sched.WithCancel(context.Background())
	for i := range r.tune.producers {
		clients.Go(func() { newProducer(r, i).work() })
	}
	for i := range r.tune.readers {
		clients.Go(func() { (&reader{r: r, n: i}).work() })
	}
	clients.Go(r.administer)
	clients.Go(r.commit)
	for i := range r.tune.sharers {
		clients.Go(func() { r.share(i) })
	}
	for _, m := range r.mem.teamOf(r.seed) {
		clients.Go(func() { r.member(m) })
	}
	r.transact(&clients)
	if r.life.full {
		clients.Go(r.fillDisk)
	}
	sched.Go(func() { r.watch(ctx) })
	clients.Wait()
	stop()
}

// watch fails the run when the clients get nowhere for ten minutes of its time.
func (r *run) watch(ctx context.Context) {
	for {
		before := r.done()
		if !sched.Sleep(ctx, 10*time.Minute) {
			return
		}
		if r.done() == before {
			r.fail("no client has got an answer for ten minutes")
		}
	}
}

// done counts the answers that clients have got.
func (r *run) done() int {
	s := &r.stat
	return s.Records + s.Acked + s.Read + s.Commits + s.Topics + s.Refused + s.DeletedRecords + s.Duplicates + s.Txns + s.Shared + s.Team
}

// fail ends the run with a complaint.
func (r *run) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	r.hist.note("!! %v", err)
	sched.Fail(err)
}

// faulty reports whether the disk has failed as it was told to: in this life, or
// before a kill -9, after which files may still tell of it.
func (r *run) faulty() bool { return r.d.hit() || r.sick }

// ill reports whether clients must put up with errors of the disk in this life.
func (r *run) ill() bool { return r.faulty() || r.life.full }

// pause lets a client think for a while: mostly not at all.
func pause() {
	switch n := sched.Draw(40); {
	case n == 0:
		sched.Sleep(context.Background(), time.Duration(sched.Draw(5000))*time.Millisecond)
	case n < 12:
		sched.Sleep(context.Background(), time.Duration(sched.Draw(20_000))*time.Microsecond)
	default:
		sched.Point(0)
	}
}

func (s *Stats) add(o Stats) {
	s.Lives += o.Lives
	s.Ops += o.Ops
	s.Records += o.Records
	s.Acked += o.Acked
	s.Read += o.Read
	s.Commits += o.Commits
	s.Topics += o.Topics
	s.Refused += o.Refused
	s.Faults += o.Faults
	s.Duplicates += o.Duplicates
	s.Compactions += o.Compactions
	s.DeletedRecords += o.DeletedRecords
	s.Team += o.Team
	s.CutRecoveries += o.CutRecoveries
	s.Flips += o.Flips
	s.Shared += o.Shared
	s.Txns += o.Txns
	s.Dependencies += o.Dependencies
	s.LegalCycles += o.LegalCycles
}
