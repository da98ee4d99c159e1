package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
	"github.com/leatdev/leat/test/traffic"
)

// filler is a broker whose disk fills up.
type filler struct {
	name, program string
	args          []string
	space         int64 // of the file system
	reserve       int64 // that the broker keeps for commits, deletions and its next start
	slack         int64 // what is left for clients at first
	doomed        int   // records of 8 KiB in topics whose end makes room
}

var fillers = []filler{
	{"defaults", "./cmd/leat", []string{"-c", "log.retention.check.interval.ms=500"}, 768 << 20, 64 << 20, 64 << 20, 10_000},
	{"small bounds", "./test/tuned", nil, 128 << 20, 4 << 20, 8 << 20, 3000},
}

// office is a broker on a file system that fills up, with clients at work.
type office struct {
	filler
	f         *filesystem
	s         *leatproc.Server
	a         *kadm.Client
	producers []*traffic.Producer
	reader    *traffic.Reader
	stop      func()
	stopRead  func()
}

func (fi filler) open(t *testing.T) *office {
	f := newFilesystem(t, fi.space)
	s := leatproc.New(t, fi.program, filepath.Join(f.Dir, "data"), fi.args...)
	s.Start(t)
	o := &office{filler: fi, f: f, s: s, a: traffic.Admin(t, s.Addr)}
	for _, topic := range []string{"kept", "one", "probe", "doomed", "retained"} {
		traffic.CreateTopic(t, o.a, topic, partitions, map[string]string{"segment.bytes": "1048576", "file.delete.delay.ms": "0"})
	}
	size := func(int) int { return 8 << 10 }
	for _, topic := range []string{"doomed", "retained"} {
		p := traffic.NewProducer(t, s.Addr, traffic.Spec{Name: topic, Topic: topic, Partitions: partitions, Idempotent: true, Window: 100, Size: size})
		working, stop := context.WithCancel(t.Context())
		go p.Run(working)
		p.WaitFor(t, fi.doomed)
		stop()
		p.Finish(t, o.a)
	}
	working, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	reading, stopReading := context.WithCancel(t.Context())
	t.Cleanup(stopReading)
	o.stop, o.stopRead = stop, stopReading
	o.producers = []*traffic.Producer{
		traffic.NewProducer(t, s.Addr, traffic.Spec{Name: "a", Topic: "kept", Partitions: partitions, Idempotent: true, Window: 20, Size: size}),
		traffic.NewProducer(t, s.Addr, traffic.Spec{Name: "b", Topic: "one", Partitions: partitions, Window: 20, Size: size}),
	}
	o.reader = traffic.NewReader(t, s.Addr, "readers", "kept")
	for _, p := range o.producers {
		go p.Run(working)
	}
	go o.reader.Run(reading)
	return o
}

// probe sends one record, once.
func (o *office) probe(t *testing.T) error {
	t.Helper()
	cl := traffic.Client(t, o.s.Addr, kgo.DefaultProduceTopic("probe"), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0))
	defer cl.Close()
	return cl.ProduceSync(t.Context(), &kgo.Record{Value: []byte("probe")}).FirstErr()
}

// refused waits until producers are refused as a full disk does it.
func (o *office) refused(t *testing.T) {
	t.Helper()
	leatproc.Until(t, traffic.Patience, "producers are refused", func() error {
		err := o.probe(t)
		switch {
		case err == nil:
			return errors.New("a record is taken")
		case !errors.Is(err, kerr.KafkaStorageError):
			t.Fatalf("a full disk is told as %v", err)
		}
		return nil
	})
}

// resumed waits until all producers got on by themselves.
func (o *office) resumed(t *testing.T) {
	t.Helper()
	for _, p := range o.producers {
		p.WaitFor(t, p.Acked()+50)
	}
}

// worksWhileFull does all that a full disk must not stop.
func (o *office) worksWhileFull(t *testing.T, group string) {
	t.Helper()
	ends := traffic.Ends(t, o.a, "kept")
	o.reader.CatchUp(t, ends) // it reads, and commits what it has read
	o.reader.CheckCommits(t, o.a, ends)
	for i := range int64(50) {
		offsets := kadm.Offsets{}
		offsets.AddOffset("kept", 0, i, -1)
		committed, err := o.a.CommitOffsets(t.Context(), group, offsets)
		if err == nil {
			err = committed.Error()
		}
		if err != nil {
			t.Fatalf("commit %d while the disk is full: %v", i, err)
		}
	}
	// Within the first segment: it frees nothing.
	cut := kadm.Offsets{}
	start := traffic.Starts(t, o.a, "kept")[1] + 1
	cut.AddOffset("kept", 1, start, -1)
	deleted, err := o.a.DeleteRecords(t.Context(), cut)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatalf("a deletion of records while the disk is full: %v", err)
	}
	if got := traffic.Starts(t, o.a, "kept")[1]; got != start {
		t.Errorf("the partition begins at %d after a deletion up to %d", got, start)
	}
}

// finish stops all and holds what was told against the logs.
func (o *office) finish(t *testing.T) {
	t.Helper()
	o.stop()
	for _, p := range o.producers {
		p.Finish(t, o.a)
	}
	o.reader.CatchUp(t, traffic.Ends(t, o.a, "kept"))
	o.stopRead()
	<-o.reader.Done()
	for i, topic := range []string{"kept", "one"} {
		log := traffic.Read(t, o.s.Addr, topic)
		log.CheckOnly(t, o.producers[i])
		o.producers[i].Check(t, log)
		if i == 0 {
			o.reader.Check(t, log)
		}
	}
}

// TestFullDisk fills a disk while clients are at work, with a kill -9 while it is
// full, and makes room in three ways: retention, the end of a topic, and somebody
// else's file that goes.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, fi := range fillers {
		t.Run(fi.name, func(t *testing.T) {
			t.Parallel()
			o := fi.open(t)
			o.f.ballast(t, o.reserve+o.slack)
			o.refused(t)
			o.worksWhileFull(t, "first")
			before := o.f.free(t)
			if before < o.reserve/2 {
				t.Errorf("%d bytes are free, and %d were to be kept", before, o.reserve)
			}
			o.s.Kill()
			o.s.Start(t)
			o.refused(t)
			o.worksWhileFull(t, "second")
			t.Logf("full: %d KiB were free before the kill, %d are after it; %d and %d acknowledgements", before>>10, o.f.free(t)>>10, o.producers[0].Acked(), o.producers[1].Acked())

			value := "1048576"
			set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.bytes", Value: &value}}
			altered, err := o.a.AlterTopicConfigs(t.Context(), set, "retained")
			if err == nil {
				_, err = altered.On("retained", func(r *kadm.AlterConfigsResponse) error { return r.Err })
			}
			if err != nil {
				t.Fatalf("a topic's config while the disk is full: %v", err)
			}
			leatproc.Until(t, traffic.Patience, "retention goes on while the disk is full", func() error {
				for p, at := range traffic.Starts(t, o.a, "retained") {
					if at == 0 {
						return fmt.Errorf("partition %d is whole", p)
					}
				}
				return nil
			})
			o.resumed(t)

			second := o.f.ballast(t, o.reserve)
			o.refused(t)
			if _, err := o.a.DeleteTopic(t.Context(), "doomed"); err != nil {
				t.Fatalf("the end of a topic while the disk is full: %v", err)
			}
			o.resumed(t)

			o.f.ballast(t, o.reserve)
			o.refused(t)
			if err := os.Remove(second); err != nil {
				t.Fatal(err)
			}
			o.resumed(t)
			o.finish(t)
		})
	}
}

// TestNoSpaceAtAll is a disk where others have taken the broker's reserve, too.
// Nothing is promised then but that nothing is lost and that all goes on when
// there is room, also after a kill -9.
func TestNoSpaceAtAll(t *testing.T) {
	t.Parallel()
	for _, fi := range fillers {
		t.Run(fi.name, func(t *testing.T) {
			t.Parallel()
			o := fi.open(t)
			for range 2 {
				ballast := o.f.ballast(t, 0)
				o.refused(t)
				o.s.Kill()
				if err := o.s.TryStart(t); err == nil {
					o.refused(t)
				} else if !strings.Contains(err.Error(), "no space") {
					t.Errorf("the start does not say that there is no space: %v", err)
				} else {
					t.Logf("it starts when there is room: %v", err)
				}
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
				select {
				case <-o.s.Ended():
					o.s.Start(t)
				default: // it runs and goes on by itself
				}
				o.resumed(t)
			}
			o.finish(t)
		})
	}
}
