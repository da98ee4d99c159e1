package history

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

var (
	file  = flag.String("history.file", "", "a saved history to analyse again")
	torn  = flag.Bool("history.torn", false, "with history.file: its transactions may end in one partition after the other, as in Kafka")
	kills = flag.Int("history.kills", 25, "how often TestTransactionsUnderFaults kills each broker")
)

// TestMain analyses a history that was saved, if it is given one, instead of the
// tests.
func TestMain(m *testing.M) {
	flag.Parse()
	if *file == "" {
		leatproc.Main(m)
	}
	report, err := analyseFile(*file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(report)
	os.Exit(min(len(report.Findings), 1))
}

func analyseFile(name string) (Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	ops, err := Read(f)
	if err != nil {
		return Report{}, fmt.Errorf("%s: %w", name, err)
	}
	return Analyse(ops, true, *torn), nil
}

// TestUnderFaults has many clients at work while their broker is killed, and
// stopped for a while (long enough, at times, for all members of the group to
// be taken for dead), and judges what they have recorded.
func TestUnderFaults(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{"defaults": "./cmd/leat", "small bounds": "./test/tuned"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := leatproc.New(t, program, t.TempDir(), "-c", "group.min.session.timeout.ms=1000", "-c", "group.initial.rebalance.delay.ms=0")
			s.Start(t)
			underFaults(t, s, 60)
		})
	}
}

func underFaults(t *testing.T, s *leatproc.Server, faults int) {
	seed := rand.Uint64()
	t.Logf("seed %d (of the faults and of what each client does; not of their order)", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	a := traffic.Admin(t, s.Addr)
	for _, topic := range topics {
		traffic.CreateTopic(t, a, topic, partitions, map[string]string{"segment.bytes": "1048576"})
	}
	w := &world{addr: s.Addr, rec: newRecorder()}
	sending, stopSending := context.WithCancel(t.Context())
	defer stopSending()
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	var senders, readers sync.WaitGroup
	failed := make(chan error, 100)
	start := func(all *sync.WaitGroup, run func() error) {
		all.Go(func() {
			if err := run(); err != nil {
				failed <- err
			}
		})
	}
	for i := range uint64(3) {
		start(&senders, func() error {
			return w.produce(sending, fmt.Sprintf("producer-%d", i), i < 2, seed+i)
		})
		start(&readers, func() error { return w.join(reading, fmt.Sprintf("member-%d", i), seed+i) })
	}
	for i := range uint64(2) {
		start(&readers, func() error { return w.read(reading, fmt.Sprintf("reader-%d", i), seed+i) })
		start(&readers, func() error { return w.ask(reading, fmt.Sprintf("asker-%d", i)) })
	}
	check := func() {
		select {
		case err := <-failed:
			t.Fatal(err)
		default:
		}
	}

	kills, pauses := 0, 0
	for i := range faults {
		want := w.rec.count() + 100 + rng.IntN(400)
		leatproc.Until(t, traffic.Patience, "clients get on", func() error {
			check()
			return leatproc.Atleast(w.rec.count(), want)
		})
		if i%3 == 1 {
			// Most are short; some are longer than the members' session.
			length := time.Duration(rng.IntN(400)+20) * time.Millisecond
			if i%6 == 1 {
				length += 2 * time.Second
			}
			s.Signal(t, syscall.SIGSTOP)
			<-time.After(length)
			s.Signal(t, syscall.SIGCONT)
			pauses++
			continue
		}
		s.Kill()
		kills++
		s.Start(t)
	}
	stopSending()
	senders.Wait()
	stopReading()
	readers.Wait()
	check()
	ctx, cancel := context.WithTimeout(t.Context(), traffic.Patience)
	defer cancel()
	if err := w.readAll(ctx, "last reader", theEnds(t, a, w.rec)); err != nil {
		t.Error(err) // and what the history says of it
	}
	t.Logf("%d kills, %d pauses", kills, pauses)
	report := w.rec.judge(t)
	for _, kind := range []Kind{Send, Poll, Assign, Revoke, Commit, Fetch, Ends} {
		if report.Ops[kind] == 0 {
			t.Errorf("nobody came to a %s: this history shows too little", kind)
		}
	}
}

// theEnds waits until what was acknowledged can be read, and asks for the ends;
// what cannot be read then is for the analysis to tell.
func theEnds(t *testing.T, a *kadm.Client, rec *recorder) map[string]int64 {
	t.Helper()
	want := map[string]int64{}
	for _, op := range rec.ops {
		for _, m := range op.Messages {
			want[m.Key] = max(want[m.Key], m.Offset+1)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		ends := map[string]int64{}
		behind := false
		for _, topic := range topics {
			for p, end := range traffic.Ends(t, a, topic) {
				ends[keyOf(topic, p)] = end
				behind = behind || end < want[keyOf(topic, p)]
			}
		}
		if !behind || time.Now().After(deadline) {
			return maps.Clone(ends)
		}
		<-time.After(20 * time.Millisecond)
	}
}
