package plog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// transactional makes a batch of a transactional producer.
func transactional(pid int64, epoch int16, seq int32, values ...string) kafka.Batch {
	rs := make([]kafka.Record, len(values))
	for i, v := range values {
		rs[i] = kafka.Record{Timestamp: 1000, Key: []byte(v), Value: []byte(v)}
	}
	return kafka.Build(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: pid, Epoch: epoch, Sequence: seq}, Transactional: true}, rs)
}

func marker(pid int64, epoch int16, commit bool) kafka.Marker {
	return kafka.Marker{ProducerID: pid, Epoch: epoch, Commit: commit, CoordinatorEpoch: 1}
}

// committed reads what a reader of committed data sees, as "offset=value", in steps of
// maxBytes, by the list of aborted transactions that comes with each step, as clients do.
func committed(t testing.TB, l *Log, maxBytes int) []string {
	t.Helper()
	var out []string
	for at := l.Start(); ; {
		r, err := l.FetchStable(at, maxBytes, true)
		if err != nil {
			t.Fatalf("fetch at %d: %v", at, err)
		}
		if r.Size() == 0 {
			if at < l.LastStable() {
				t.Fatalf("nothing at %d below the last stable offset %d", at, l.LastStable())
			}
			return out
		}
		aborted, err := l.Aborted(at, r.Next())
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, r.Size())
		if _, err := r.ReadAt(buf, 0); err != nil {
			t.Fatal(err)
		}
		next := r.Next()
		r.Release()
		gone := map[int64]bool{}
		for len(buf) > 0 {
			var b kafka.Batch
			if b, buf, err = kafka.NextBatch(buf); err != nil {
				t.Fatal(err)
			}
			for len(aborted) > 0 && aborted[0].First <= b.LastOffset() {
				gone[aborted[0].ProducerID] = true
				aborted = aborted[1:]
			}
			if b.Control() {
				m, _, _ := b.Marker()
				if !m.Commit {
					delete(gone, b.ProducerID())
				}
				continue
			}
			if b.Transactional() && gone[b.ProducerID()] {
				continue
			}
			for rec, err := range b.Records(1 << 20) {
				if err != nil {
					t.Fatal(err)
				}
				if rec.Offset >= at {
					out = append(out, fmt.Sprintf("%d=%s", rec.Offset, rec.Value))
				}
			}
			if b.NextOffset() > next {
				t.Fatalf("a batch to %d behind the end %d", b.LastOffset(), next)
			}
		}
		at = next
	}
}

func TestTransactionsInALog(t *testing.T) {
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Abandon()
	l := createLog(t, s, 0)
	refused := func(op Op, want error) {
		t.Helper()
		if _, _, err := s.Submit(op); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	refused(Append(l, transactional(1, 0, 0, "a")), ErrNoTransaction)
	refused(BeginsAtZero(Append(l, transactional(3, 0, 2, "overtook what is still on its way"))), kerr.OutOfOrderSequenceNumber)
	mustSubmit(t, s, Begins(Append(l, transactional(1, 0, 0, "a"))))
	mustSubmit(t, s, Append(l, transactional(1, 0, 1, "b")))
	mustSubmit(t, s, Append(l, batchOf(1, "plain")))
	mustSubmit(t, s, Begins(Append(l, transactional(2, 5, 0, "x"))))
	if l.LastStable() != 0 || l.HighWatermark() != 4 {
		t.Fatalf("stable %d, high watermark %d", l.LastStable(), l.HighWatermark())
	}
	refused(Append(l, sequenced(1, 0, 2, "not transactional")), ErrNoTransaction)
	mustSubmit(t, s, Mark(l, marker(1, 1, true), 2000)) // as transaction version 2 does: the next epoch
	if l.LastStable() != 3 {
		t.Fatalf("stable %d: the second transaction begins at 3", l.LastStable())
	}
	refused(Begins(Append(l, transactional(1, 0, 2, "zombie"))), kerr.InvalidProducerEpoch)
	refused(Append(l, transactional(1, 1, 0, "not begun")), ErrNoTransaction)
	refused(Begins(Append(l, transactional(1, 1, 4, "hole"))), kerr.OutOfOrderSequenceNumber)
	refused(BeginsAtZero(Append(l, transactional(1, 2, 4, "hole, with the next epoch"))), kerr.OutOfOrderSequenceNumber)
	mustSubmit(t, s, Mark(l, marker(2, 5, false), 2000))
	mustSubmit(t, s, Mark(l, marker(2, 4, true), 2000)) // it is past that
	if l.LastStable() != 6 || l.End() != 6 {
		t.Fatalf("stable %d, end %d", l.LastStable(), l.End())
	}
	defer func() { // a producer that is known goes on, and repeats
		mustSubmit(t, s, BeginsAtZero(Append(l, transactional(2, 5, 1, "y"))))
		if rs := mustSubmit(t, s, BeginsAtZero(Append(l, transactional(2, 5, 1, "y")))); !rs[0].Duplicate || l.End() != 7 {
			t.Errorf("%+v, end %d", rs[0], l.End())
		}
		// In version 1 retention may have taken what was known.
		mustSubmit(t, s, Begins(Append(l, transactional(4, 0, 9, "z"))))
	}()
	if got, want := committed(t, l, 1), []string{"0=a", "1=b", "2=plain"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if a, err := l.Aborted(0, 6); err != nil || !reflect.DeepEqual(a, []AbortedTxn{{2, 3, 5, 6}}) {
		t.Errorf("%v %v", a, err)
	}
	want := []ProducerState{{1, 1, -1, l.Producers()[0].LastTimestamp, 1, -1}, {2, 5, 0, l.Producers()[1].LastTimestamp, 1, -1}}
	if got := l.Producers(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A unit that is refused leaves nothing of its transactions behind.
func TestTransactionsUndone(t *testing.T) {
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Abandon()
	l := createLog(t, s, 0)
	other := createLog(t, s, 1)
	bad := Append(other, transactional(9, 0, 0, "no"))
	if _, _, err := s.Submit(Begins(Append(l, transactional(1, 0, 0, "a"))), bad); err == nil {
		t.Fatal("taken")
	}
	mustSubmit(t, s, Append(l, batchOf(1, "plain")))
	if l.LastStable() != 1 {
		t.Errorf("stable %d", l.LastStable())
	}
	mustSubmit(t, s, Begins(Append(l, transactional(1, 0, 0, "a"))))
	if _, _, err := s.Submit(Mark(l, marker(1, 0, true), 1), bad); err == nil {
		t.Fatal("taken")
	}
	mustSubmit(t, s, Append(l, batchOf(1, "plain")))
	if l.LastStable() != 1 {
		t.Errorf("stable %d: the transaction is open", l.LastStable())
	}
}

// The last stable offset moves with the flush of the marker, not with the marker.
func TestLastStableWaitsForTheDisk(t *testing.T) {
	u := unstable{}
	u.begin(1, 5)
	// The high watermark may have come to the marker here and not in the other logs of the
	// transaction: readers see its end in all of them at one moment.
	var shown atomic.Bool
	u.end(1, 8, &shown)
	for _, test := range []struct {
		hw, want int64
		shown    bool
	}{{4, 4, false}, {5, 5, false}, {8, 5, false}, {9, 5, false}, {9, 9, true}, {12, 12, true}} {
		shown.Store(test.shown)
		if got := u.below(test.hw); got != test.want {
			t.Errorf("durable up to %d, its end shown: %v: stable %d, want %d", test.hw, test.shown, got, test.want)
		}
	}
	u.undo(8)
	if got := u.below(9); got != 5 {
		t.Errorf("the marker is taken back: stable %d, want 5", got)
	}
}

// Many producers' transactions across segments, restarts, crashes and compactions: the
// same is seen, and the transaction indexes are the same bytes as those that a walk
// over the log makes.
func TestTransactionsSurvive(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	cfg := DefaultConfig()
	cfg.SegmentBytes = 700
	s, _ := openStore(t, mem, 1)
	l := mustSubmit(t, s, Create(testID(0), "topic", cfg))[0].Log
	if err := s.EnableTransactions(); err != nil {
		t.Fatal(err)
	}
	epoch := int32(1)
	reopen := func(fs *vfs.Mem) {
		t.Helper()
		epoch++
		mem = fs
		s, _ = openStore(t, mem, epoch)
		l = s.Log(testID(0))
		l.SetConfig(cfg)
	}
	var want []string
	seq := map[int64]int32{}
	write := func(pid int64, open bool, values ...string) {
		op := Append(l, transactional(pid, 0, seq[pid], values...))
		if open {
			op = Begins(op)
		}
		mustSubmit(t, s, op)
		seq[pid] += int32(len(values))
	}
	for round := range 12 {
		a, b := int64(1+round%3), int64(10+round%2)
		at := l.End()
		write(a, true, fmt.Sprint("a", round))
		write(b, true, fmt.Sprint("b", round))
		write(a, false, fmt.Sprint("aa", round))
		stable := l.LastStable()
		if stable != at {
			t.Fatalf("round %d: stable %d, the transaction begins at %d", round, stable, at)
		}
		switch round % 4 {
		case 1:
			s.Abandon()
			reopen(mem.Crash(vfs.KeepNone, uint64(round)))
		case 2:
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		case 3:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			reopen(mem)
		}
		if l.LastStable() != stable {
			t.Fatalf("round %d: stable %d after a restart, %d before", round, l.LastStable(), stable)
		}
		mustSubmit(t, s, Mark(l, marker(b, 0, round%2 == 0), 1), Append(l, batchOf(1, "plain")))
		mustSubmit(t, s, Mark(l, marker(a, 0, round%3 == 0), 1))
		if round%3 == 0 {
			want = append(want, fmt.Sprintf("%d=a%d", at, round))
		}
		if round%2 == 0 {
			want = append(want, fmt.Sprintf("%d=b%d", at+1, round))
		}
		if round%3 == 0 {
			want = append(want, fmt.Sprintf("%d=aa%d", at+2, round))
		}
		want = append(want, fmt.Sprintf("%d=plain", at+4))
		if l.LastStable() != l.HighWatermark() {
			t.Fatalf("round %d: stable %d, all is decided", round, l.LastStable())
		}
		for _, size := range []int{1, 300, 1 << 20} {
			if got := committed(t, l, size); !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d, %d bytes:\n%v\nwant\n%v", round, size, got, want)
			}
		}
	}
	for range 2 {
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		c, err := l.Check(context.Background())
		if err != nil || !c.OK() {
			t.Fatalf("%+v %v", c, err)
		}
		s.Abandon()
		reopen(mem.Crash(vfs.KeepAll, 1))
	}
	s.Abandon()
}

// Retention and DeleteRecords may take the beginning of an open transaction: then it
// holds the last stable offset no further back than the log start, and its end is known
// all the same.
func TestLogStartWithinATransaction(t *testing.T) {
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	cfg := DefaultConfig()
	cfg.SegmentBytes = 1
	l := mustSubmit(t, s, Create(testID(0), "topic", cfg))[0].Log
	mustSubmit(t, s, Begins(Append(l, transactional(1, 0, 0, "a"))))
	mustSubmit(t, s, Append(l, transactional(1, 0, 1, "b")))
	mustSubmit(t, s, Append(l, batchOf(1, "plain")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, SetStart(l, 1))
	if l.LastStable() != 1 {
		t.Errorf("stable %d", l.LastStable())
	}
	s.Abandon()
	s, _ = openStore(t, mem.Crash(vfs.KeepNone, 1), 2)
	defer s.Abandon()
	l = s.Log(testID(0))
	if l.LastStable() != 1 || l.Start() != 1 {
		t.Errorf("stable %d, start %d", l.LastStable(), l.Start())
	}
	mustSubmit(t, s, Mark(l, marker(1, 0, false), 1))
	if got := committed(t, l, 1); l.LastStable() != 4 || !reflect.DeepEqual(got, []string{"2=plain"}) {
		t.Errorf("stable %d: %v", l.LastStable(), got)
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if c, err := l.Check(context.Background()); err != nil || !c.OK() {
		t.Errorf("%+v %v", c, err)
	}
}

// A producer is forgotten after producer.id.expiration.ms, but not while it has a
// transaction open.
func TestOpenTransactionsDoNotExpire(t *testing.T) {
	ps := producers{}
	ps.add(transactional(1, 0, 0, "a"), 0, 1000)
	ps.add(sequenced(2, 0, 0, "b"), 0, 1000)
	ps.expire(2000)
	if ps[1] == nil || ps[2] != nil {
		t.Errorf("%v", ps)
	}
	ps[1].open = -1
	if ps.expire(2000); len(ps) != 0 {
		t.Errorf("%v", ps)
	}
}

// A reader far behind in a log of many aborted transactions is told those of what it
// gets, and no index is read as a whole for that.
func TestAbortedOfARange(t *testing.T) {
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	defer s.Abandon()
	l := createLog(t, s, 0)
	const n = 500
	for i := range int32(n) {
		mustSubmit(t, s, Begins(Append(l, transactional(1, 0, i, "x"))), Mark(l, marker(1, 0, false), 1))
		if i == n-10 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, from := range []int64{0, 1, 2, 255, 256, 777, 2*n - 21, 2*n - 2, 2*n - 1} {
		for _, size := range []int64{1, 2, 7, 600, 5000} {
			var want []AbortedTxn
			for at := int64(0); at < 2*n; at += 2 {
				if at+1 >= from && at < from+size {
					want = append(want, AbortedTxn{1, at, at + 1, at + 2})
				}
			}
			if got, err := l.Aborted(from, from+size); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%d+%d: %d entries, want %d, %v", from, size, len(got), len(want), err)
			}
		}
	}
}
