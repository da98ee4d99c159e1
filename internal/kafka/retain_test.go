package kafka

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

// Compaction keeps offsets, sequences and the kept records, whatever goes.
func TestRetainKeepsWhatItIsToldTo(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range 300 {
		recs := randomRecords(rng, 1+rng.IntN(20))
		b := Build(BatchSpec{BaseOffset: 500, LeaderEpoch: 3, Codec: codecs[i%len(codecs)], Producer: &ProducerSpec{ID: 4, Epoch: 1, Sequence: 30}}, recs)
		for round := range int64(3) { // what is left is filtered again
			before := collect(t, b, openLimit)
			had, has := b.DeleteHorizon()
			var want []Record
			tombstone := false
			drop := map[int64]bool{}
			for _, r := range before {
				if drop[r.Offset] = rng.IntN(4) == 0; !drop[r.Offset] {
					want = append(want, r)
					tombstone = tombstone || r.Key != nil && r.Value == nil
				}
			}
			horizon := 1_800_000_000_000 + round
			got, err := b.Retain(openLimit, horizon, func(r *Record) bool { return !drop[r.Offset] })
			if err != nil {
				t.Fatal(err)
			}
			if err := got.VerifyCRC(); err != nil {
				t.Fatal(err)
			}
			if recs := collect(t, got, openLimit); !reflect.DeepEqual(recs, want) {
				t.Fatalf("kept %v\nwant %v", recs, want)
			}
			if got.BaseOffset() != 500 || got.LastOffset() != b.LastOffset() || got.LastSequence() != b.LastSequence() || got.LeaderEpoch() != 3 ||
				got.ProducerID() != 4 || got.ProducerEpoch() != 1 || int(got.NumRecords()) != len(want) {
				t.Fatal("the header has changed")
			}
			wantHorizon := horizon
			if has {
				wantHorizon = had
			}
			if h, is := got.DeleteHorizon(); len(want) > 0 && (is != (has || tombstone) || is && h != wantHorizon) {
				t.Fatalf("horizon %d (%v), want %d (%v)", h, is, wantHorizon, has || tombstone)
			}
			maxTS := int64(-1)
			for _, r := range want {
				maxTS = max(maxTS, r.Timestamp)
			}
			if len(want) > 0 && got.MaxTimestamp() != maxTS {
				t.Fatalf("max timestamp %d, want %d", got.MaxTimestamp(), maxTS)
			}
			b = got
		}
	}
}

func TestRetainOfAllIsTheBatchItself(t *testing.T) {
	b := Build(BatchSpec{Codec: CodecGzip}, []Record{{Key: []byte("k"), Value: []byte("v")}})
	got, err := b.Retain(openLimit, 9, func(*Record) bool { return true })
	if err != nil || &got[0] != &b[0] {
		t.Errorf("a copy was made: %v", err)
	}
}

func TestRetainOfNoneIsAHeader(t *testing.T) {
	b := Build(BatchSpec{BaseOffset: 5, Codec: CodecGzip, Producer: &ProducerSpec{ID: 1, Sequence: 3}}, []Record{{Timestamp: 7, Key: []byte("k")}, {Timestamp: 8, Key: []byte("k")}})
	got, err := b.Retain(openLimit, 9, func(*Record) bool { return false })
	if err != nil || len(got) != BatchOverhead || got.NumRecords() != 0 || got.LastOffset() != 6 || got.LastSequence() != 4 || got.Codec() != CodecNone || got.MaxTimestamp() != 8 {
		t.Fatalf("% x, %v", got, err)
	}
	if _, rest, err := NextBatch(got); err != nil || len(rest) != 0 || got.VerifyCRC() != nil {
		t.Error(err)
	}
	if n := len(collect(t, got, 0)); n != 0 {
		t.Errorf("%d records", n)
	}
	again, err := got.Retain(0, 9, func(*Record) bool { return true })
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("% x, %v", again, err)
	}
}

func TestRetainUnderLogAppendTime(t *testing.T) {
	b := Build(BatchSpec{LogAppendTime: 50}, []Record{{Timestamp: 1, Key: []byte("a")}, {Timestamp: 2, Key: []byte("b")}})
	got, err := b.Retain(0, 90, func(r *Record) bool { return r.Offset == 1 })
	if err != nil {
		t.Fatal(err)
	}
	if r := collect(t, got, 0); len(r) != 1 || r[0].Timestamp != 50 || got.MaxTimestamp() != 50 {
		t.Errorf("%v", r)
	}
}

func TestRetainOfBadRecords(t *testing.T) {
	b := patch(Build(BatchSpec{}, []Record{{}}), func(b Batch) { b[BatchOverhead] = 99 })
	if _, err := b.Retain(0, 0, func(*Record) bool { return true }); !errors.Is(err, ErrBatchInvalid) {
		t.Error(err)
	}
}
