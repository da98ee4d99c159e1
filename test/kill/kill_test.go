package kill

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

const partitions = 6

// scenario is a broker with its work, which is killed so many times.
type scenario struct {
	name string
	// program is what is called as `leat serve`.
	program string
	// kills is how many there are under load; each third is followed by one in the
	// middle of the recovery.
	kills int
	// size is how many bytes record n is filled up with.
	size   func(n int) int
	window int
}

// Together these are more than a hundred kills.
var scenarios = []scenario{
	{name: "defaults", program: "./cmd/leat", kills: 60, window: 200},
	// Checkpoints, rounds of the write-ahead log and batches that go to their
	// segments directly, all the time.
	{name: "small bounds", program: "./test/tuned", kills: 60, window: 100, size: func(n int) int { return n % 50 * 100 }},
	// Most batches are larger than what the write-ahead log takes in.
	{name: "large records", program: "./cmd/leat", kills: 24, window: 8, size: func(n int) int { return 40_000 + n%7*30_000 }},
}

func TestKilledAgainAndAgain(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			sc.run(t)
		})
	}
}

// rig is a broker and everybody who is at work on it.
type rig struct {
	scenario
	s         *leatproc.Server
	a         *kadm.Client
	rng       *rand.Rand
	producers []*traffic.Producer
	reader    *traffic.Reader
	churn     *traffic.Churner
	trim      *traffic.Trimmer

	killed, open, starting int // kills: under load, in a recovery, in a start that had recovered
	idle                   int // of those under load: met nobody with something under way
}

func (sc scenario) run(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d (the moments are drawn from it; the work is not)", seed)
	s := leatproc.New(t, sc.program, t.TempDir())
	s.Start(t)
	g := &rig{scenario: sc, s: s, a: traffic.Admin(t, s.Addr), rng: rand.New(rand.NewPCG(seed, 0))}
	for _, topic := range []string{"all", "one", "trimmed"} {
		traffic.CreateTopic(t, g.a, topic, partitions, map[string]string{"segment.bytes": "1048576"})
	}
	producer := func(name, topic string, idempotent bool) *traffic.Producer {
		p := traffic.NewProducer(t, s.Addr, traffic.Spec{Name: name, Topic: topic, Partitions: partitions, Idempotent: idempotent, Window: sc.window, Size: sc.size})
		g.producers = append(g.producers, p)
		return p
	}
	producer("a", "all", true)
	producer("b", "all", true)
	// acks=1 is in a file before the answer: power may take it, a kill may not.
	producer("c", "one", false)
	g.trim = traffic.NewTrimmer(t, s.Addr, producer("d", "trimmed", true))
	g.churn = traffic.NewChurner(t, s.Addr)
	g.reader = traffic.NewReader(t, s.Addr, "readers", "all")

	working, stop := context.WithCancel(t.Context())
	defer stop()
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	for _, p := range g.producers {
		go p.Run(working)
	}
	go g.trim.Run(working)
	go g.churn.Run(working)
	go g.reader.Run(reading)

	for i := range sc.kills {
		g.cycle(t, i)
	}
	stop()
	for _, p := range g.producers {
		p.Finish(t, g.a)
	}
	<-g.trim.Done()
	<-g.churn.Done()
	ends := traffic.Ends(t, g.a, "all")
	g.reader.CatchUp(t, ends)
	stopReading()
	<-g.reader.Done()
	g.reader.CheckCommits(t, g.a, ends)
	g.check(t)
	if g.idle > sc.kills/4 {
		t.Errorf("%d of %d kills met nobody at work: they show too little", g.idle, sc.kills)
	}
	t.Logf("%d kills: %d under load (%d between two pieces of work), %d in a recovery, %d in a start after its recovery", g.killed+g.open+g.starting, g.killed, g.idle, g.open, g.starting)
}

// cycle lets everybody get on for a while, kills the broker, and starts it again.
func (g *rig) cycle(t *testing.T, i int) {
	for _, p := range g.producers {
		p.WaitFor(t, p.Acked()+1+g.rng.IntN(2*g.window))
	}
	switch i % 3 { // everybody gets on, though not always everybody
	case 0:
		g.reader.WaitFor(t, g.reader.Commits()+1)
	case 1:
		g.churn.WaitFor(t, g.churn.Count()+1)
	case 2:
		g.trim.WaitFor(t, g.trim.Count()+1)
	}
	g.moment(20 * time.Millisecond) // off the step that the acknowledgements have set
	g.churn.Interrupt()
	g.s.Kill()
	busy := 0
	for _, p := range g.producers {
		busy += p.UnderWay()
	}
	if busy == 0 {
		g.idle++
	}
	g.killed++
	committed, starts, deleted, kept := g.reader.Acknowledged(), g.trim.Acknowledged(), g.churn.Deleted(), g.churn.Kept()
	if i%3 == 2 {
		g.killRecovery(t)
	}
	g.s.Start(t)
	g.reader.CheckCommits(t, g.a, committed)
	g.trim.CheckStarts(t, starts)
	g.churn.CheckTopics(t, deleted, kept)
	if t.Failed() {
		t.Fatalf("so it is after kill %d", i)
	}
}

// killRecovery kills a broker that is about to come back. The first half of the
// moments is drawn from the start of the process on, the others from the end of
// its recovery on.
func (g *rig) killRecovery(t *testing.T) {
	g.s.Launch(t)
	if g.rng.IntN(2) == 0 {
		g.moment(60 * time.Millisecond)
	} else {
		g.s.Logged(t, "data directory is open", traffic.Patience)
	}
	g.churn.Interrupt()
	g.s.Kill()
	if g.s.Has("data directory is open") {
		g.starting++
	} else {
		g.open++
	}
}

// moment waits for a random part of a duration.
func (g *rig) moment(most time.Duration) {
	<-time.After(time.Duration(g.rng.Int64N(int64(most))))
}

// check holds what everybody was told against the logs.
func (g *rig) check(t *testing.T) {
	for _, topic := range []string{"all", "one", "trimmed"} {
		log := traffic.Read(t, g.s.Addr, topic)
		log.CheckOnly(t, g.producers...)
		for _, p := range g.producers {
			if p.Topic == topic {
				p.Check(t, log)
			}
		}
		switch topic {
		case "all":
			g.reader.Check(t, log)
		case "trimmed":
			g.trim.Check(t, log)
		}
	}
	g.churn.Check(t)
}

// TestEnoughKills holds the scenarios to what this suite promises.
func TestEnoughKills(t *testing.T) {
	kills := 0
	for _, sc := range scenarios {
		kills += sc.kills - sc.kills/4
	}
	if kills < 100 {
		t.Errorf("%d kills are sure to meet somebody at work, which is less than a hundred", kills)
	}
}
