package kafka

import (
	"math/rand/v2"
	"testing"
)

// What skim steps over, readRecord reads in the same way; what it leaves is rare.
func TestSkimAgreesWithReadRecord(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	bytesOf := func(n int) []byte {
		if n < 0 {
			return nil
		}
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	skimmed, whole := 0, 0
	for range 20000 {
		rec := Record{Timestamp: 1000 + r.Int64N(3_000_000) - 1_000_000, Key: bytesOf(r.IntN(20) - 1), Value: bytesOf(r.IntN(300) - 1)}
		if r.IntN(8) == 0 {
			rec.Headers = []Header{{"h", bytesOf(r.IntN(4) - 1)}}
		}
		p := Build(BatchSpec{}, []Record{{Timestamp: 1000}, rec}).Body()
		var first rawRecord
		n, what := readRecord(p, &first)
		if what != "" {
			t.Fatal(what)
		}
		p = append([]byte(nil), p[n:]...)
		whole++
		if r.IntN(2) == 0 {
			p = append(p, bytesOf(r.IntN(5))...) // the next one, or rubbish
		}
		for range r.IntN(3) {
			p[r.IntN(min(len(p), 12))] ^= byte(1 << r.IntN(8))
		}
		n, ts, offset, hasKey := skim(p)
		if n == 0 {
			continue
		}
		skimmed++
		var raw rawRecord
		want, what := readRecord(p, &raw)
		if what != "" {
			t.Fatalf("skim takes %d bytes, readRecord says %s\n%x", n, what, p)
		}
		if n != want || ts != raw.timestampDelta || offset != raw.offsetDelta || hasKey != (raw.key != nil) || raw.numHeaders != 0 {
			t.Fatalf("skim: %d bytes, %d, %d, key %v; readRecord: %d, %+v\n%x", n, ts, offset, hasKey, want, raw, p)
		}
	}
	if skimmed < whole/10 {
		t.Errorf("%d of %d records were skimmed", skimmed, whole)
	}
}

// BenchmarkCheckSmallRecords is the check of a batch of records of 100 bytes.
func BenchmarkCheckSmallRecords(b *testing.B) {
	records := make([]Record, 5000)
	for i := range records {
		records[i] = Record{Timestamp: 1000 + int64(i), Value: make([]byte, 100)}
	}
	batch := Build(BatchSpec{}, records)
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		if _, err := batch.Check(CheckOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
