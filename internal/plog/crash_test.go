package plog

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

var (
	crashSeeds = flag.Int("crash.seeds", 150, "how many seeds TestCrash runs")
	crashSeed  = flag.Uint64("crash.seed", 0, "run this one seed of TestCrash only")
)

// TestCrash runs random work, loses power or the process at random moments, and
// compares what comes back with what was acknowledged and seen.
// go test -run TestCrash -crash.seed N replays one.
func TestCrash(t *testing.T) {
	if *crashSeed != 0 {
		newCrashRun(t, *crashSeed).run()
		return
	}
	for seed := range uint64(*crashSeeds) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
			t.Parallel()
			newCrashRun(t, seed+1).run()
		})
	}
}

// told is what a log has been told and has answered.
type told struct {
	sent  []string // value by offset, acknowledged or not
	acked int      // offsets below were acknowledged or visible
	start [2]int64 // acknowledged, asked for
	seq   int32
	// existence: as far as is known
	created, deleted       bool // acknowledged
	maybeCreated, maybeDel bool // asked for
}

type crashRun struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	fs    *vfs.Mem
	s     *Store
	epoch int32
	logs  map[int]*told
	life  map[int]int // ids are never used again: how often log n was made
	last  Pos
}

func newCrashRun(t *testing.T, seed uint64) *crashRun {
	return &crashRun{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewMem(), logs: map[int]*told{}, life: map[int]int{}}
}

func (c *crashRun) run() {
	c.open()
	for range 3 + c.rng.IntN(3) {
		for range 5 + c.rng.IntN(60) {
			c.step()
		}
		c.crash()
		c.check()
	}
	c.s.Abandon()
}

func (c *crashRun) id(n int) ID { return testID(n + 10*c.life[n]) }

func (c *crashRun) open() {
	c.epoch++
	opt := testOptions(crashDisk(c.fs), c.epoch)
	opt.WALFileSize, opt.WALFiles = 256<<10, 4
	s, r, err := Open(opt)
	if err != nil {
		c.t.Fatalf("seed %d: open: %v", c.seed, err)
	}
	if len(r.Fenced) > 0 || r.Kept != "" {
		c.t.Fatalf("seed %d: a crash alone was taken for damage: %+v", c.seed, r)
	}
	c.s = s
}

// crash ends this life: by losing power in one of its forms, by a kill, or cleanly.
func (c *crashRun) crash() {
	fs := c.fs
	if c.rng.IntN(8) == 0 {
		c.settleAll()
		if err := c.s.Close(); err != nil {
			c.t.Fatalf("seed %d: close: %v", c.seed, err)
		}
	} else {
		// The disk as it is now; what the old process still does cannot reach it.
		switch c.rng.IntN(5) {
		case 0:
			fs = c.fs.Kill()
		case 1:
			fs = c.fs.Crash(vfs.KeepNone, c.rng.Uint64())
		case 2:
			fs = c.fs.Kill().Crash(vfs.KeepSome, c.rng.Uint64())
		default:
			fs = c.fs.Crash(vfs.KeepSome, c.rng.Uint64())
		}
		c.s.Abandon()
	}
	c.fs = fs
	c.open()
}

func (c *crashRun) settleAll() {
	if err := c.s.Wait(context.Background(), c.last); err != nil {
		c.t.Fatalf("seed %d: wait: %v", c.seed, err)
	}
	for n := range c.logs {
		c.ack(n)
	}
}

// ack notes that everything asked of log n so far is durable.
func (c *crashRun) ack(n int) {
	m := c.logs[n]
	m.acked = len(m.sent)
	m.start[0] = m.start[1]
	m.created = m.created || m.maybeCreated
	m.deleted = m.deleted || m.maybeDel
}

func (c *crashRun) submit(n int, wait bool, ops ...Op) {
	release, err := c.s.Admit(context.Background(), 70<<10)
	if err != nil {
		c.t.Fatalf("seed %d: admit: %v", c.seed, err)
	}
	defer release()
	_, pos, err := c.s.Submit(ops...)
	crashSubmitted(c.s)
	if err != nil {
		c.t.Fatalf("seed %d: submit: %v", c.seed, err)
	}
	c.last = max(c.last, pos)
	if wait {
		if err := c.s.Wait(context.Background(), pos); err != nil {
			c.t.Fatalf("seed %d: wait: %v", c.seed, err)
		}
		c.ack(n)
		return
	}
	// A consumer that is quicker than the flusher: what it may see already must stay.
	if !c.logs[n].maybeDel && c.s.Log(c.id(n)) != nil {
		c.look(n)
	}
}

func (c *crashRun) step() {
	n := c.rng.IntN(6)
	m := c.logs[n]
	wait := c.rng.IntN(3) > 0
	switch op := c.rng.IntN(100); {
	case m == nil:
		c.logs[n] = &told{maybeCreated: true}
		c.submit(n, wait, Create(c.id(n), "t", crashConfig(c.rng)))
	case m.maybeDel:
	case op < 2:
		m.maybeDel = true
		c.submit(n, wait, Delete(c.s.Log(c.id(n))))
	case op < 8:
		if err := c.s.Checkpoint(); err != nil {
			c.t.Fatalf("seed %d: checkpoint: %v", c.seed, err)
		}
	case op < 14:
		m.start[1] = max(m.start[1], c.rng.Int64N(int64(len(m.sent)+1)))
		c.submit(n, wait, SetStart(c.s.Log(c.id(n)), m.start[1]))
	case op < 20:
		c.look(n)
	default:
		var vs []string
		for range 1 + c.rng.IntN(3) {
			v := fmt.Sprintf("%d/%d/%d ", c.seed, n, len(m.sent)+len(vs))
			if c.rng.IntN(12) == 0 {
				v += strings.Repeat("z", c.rng.IntN(60<<10))
			}
			vs = append(vs, v)
		}
		b := sequenced(int64(n), 0, m.seq, vs...)
		m.seq += int32(len(vs))
		m.sent = append(m.sent, vs...)
		c.submit(n, wait, Append(c.s.Log(c.id(n)), b))
	}
}

func crashConfig(r *rand.Rand) Config {
	cfg := DefaultConfig()
	cfg.SegmentBytes = 1000 << r.IntN(10)
	cfg.IndexInterval = 100
	return cfg
}

// look reads like a consumer: what it sees must never be taken back.
func (c *crashRun) look(n int) {
	m, l := c.logs[n], c.s.Log(c.id(n))
	if hw := l.HighWatermark(); int(hw) > m.acked {
		m.acked = int(hw)
	}
	c.compare(n, l, m)
}

func (c *crashRun) compare(n int, l *Log, m *told) {
	for _, v := range values(c.t, l, 1+c.rng.IntN(8<<10)) {
		var at int
		fmt.Sscanf(v, "%d=", &at)
		if want := fmt.Sprintf("%d=%s", at, m.sent[at]); v != want {
			c.t.Fatalf("seed %d: log %d: offset %d holds %.40q, want %.40q", c.seed, n, at, v, want)
		}
	}
}

// check compares the store after a crash with what was told, and goes on from
// what it has.
func (c *crashRun) check() {
	for n := range c.logs {
		m, l := c.logs[n], c.s.Log(c.id(n))
		switch {
		case l == nil && m.created && !m.maybeDel:
			c.t.Fatalf("seed %d: log %d is gone", c.seed, n)
		case l != nil && m.deleted:
			c.t.Fatalf("seed %d: deleted log %d is back", c.seed, n)
		case l == nil:
			delete(c.logs, n)
			c.life[n]++
			continue
		}
		if hw := l.HighWatermark(); hw < int64(m.acked) || hw > int64(len(m.sent)) {
			c.t.Fatalf("seed %d: log %d ends at %d: %d were acknowledged, %d sent", c.seed, n, hw, m.acked, len(m.sent))
		}
		if s := l.Start(); s < m.start[0] || s > m.start[1] {
			c.t.Fatalf("seed %d: log %d starts at %d, told %d to %d", c.seed, n, s, m.start[0], m.start[1])
		}
		c.compare(n, l, m)
		// A producer that repeats its last batch must be recognised, and one that
		// lost it must be able to send it again.
		m.sent = m.sent[:l.HighWatermark()]
		m.seq = int32(len(m.sent))
		m.start[0], m.start[1] = l.Start(), l.Start()
		m.acked, m.created, m.maybeDel = len(m.sent), true, false
		c.s.Log(c.id(n)).SetConfig(crashConfig(c.rng))
	}
}
