package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

var codecs = []Codec{CodecNone, CodecGzip, CodecSnappy, CodecLZ4, CodecZstd}

const openLimit = 64 << 20

// randomRecords are records of every shape: null and empty keys and values,
// repeated headers, timestamps that go back.
func randomRecords(rng *rand.Rand, n int) []Record {
	text := func() []byte {
		switch rng.IntN(6) {
		case 0:
			return nil
		case 1:
			return []byte{}
		case 2:
			return bytes.Repeat([]byte("leat "), rng.IntN(300))
		}
		b := make([]byte, rng.IntN(90))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	recs := make([]Record, n)
	for i := range recs {
		r := Record{Offset: int64(i), Timestamp: 1_700_000_000_000 + rng.Int64N(5000) - 2500, Key: text(), Value: text()}
		for range rng.IntN(4) {
			r.Headers = append(r.Headers, Header{Key: fmt.Sprint("h", rng.IntN(2)), Value: text()})
		}
		recs[i] = r
	}
	return recs
}

func collect(t testing.TB, b Batch, limit int64) []Record {
	t.Helper()
	var out []Record
	for r, err := range b.Records(limit) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestBuildThenWalkGivesTheRecordsBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		recs := randomRecords(rng, 1+rng.IntN(60))
		spec := BatchSpec{BaseOffset: rng.Int64N(1 << 40), LeaderEpoch: 7, Codec: codecs[i%len(codecs)]}
		if i%3 == 0 {
			spec.Producer = &ProducerSpec{ID: 9, Epoch: 2, Sequence: 11}
			spec.Transactional = i%2 == 0
		}
		b := Build(spec, recs)
		framed, rest, err := NextBatch(append(bytes.Clone(b), 1, 2, 3))
		if err != nil || len(rest) != 3 || !bytes.Equal(framed, b) {
			t.Fatalf("framed %d of %d bytes, %d follow: %v", len(framed), len(b), len(rest), err)
		}
		res, err := b.Check(CheckOptions{Limit: openLimit, Times: &TimeRange{0, 0}})
		var re *RecordsError
		if !errors.As(err, &re) || re.Total != len(recs) {
			t.Fatalf("a range that no record is in: %v", err)
		}
		res, err = b.Check(CheckOptions{Limit: openLimit})
		if err != nil {
			t.Fatal(err)
		}
		maxTS := int64(math.MinInt64)
		for j := range recs {
			recs[j].Offset += spec.BaseOffset
			maxTS = max(maxTS, recs[j].Timestamp)
		}
		if res.MaxTimestamp != maxTS || b.MaxTimestamp() != maxTS || b.FirstTimestamp() != recs[0].Timestamp {
			t.Fatalf("max timestamp %d, header %d, want %d", res.MaxTimestamp, b.MaxTimestamp(), maxTS)
		}
		if got := collect(t, b, openLimit); !reflect.DeepEqual(got, recs) {
			t.Fatalf("%s: %v, want %v", spec.Codec, got, recs)
		}
		again, err := b.Recompress(codecs[rng.IntN(len(codecs))], openLimit)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.VerifyCRC(); err != nil {
			t.Fatal(err)
		}
		if got := collect(t, again, openLimit); !reflect.DeepEqual(got, recs) {
			t.Fatalf("recompressed %s to %s: records differ", spec.Codec, again.Codec())
		}
		if again.ProducerID() != b.ProducerID() || again.LastOffset() != b.LastOffset() || again.Transactional() != b.Transactional() {
			t.Fatal("recompressing changed the header")
		}
	}
}

func TestLogAppendTimeGoesForEveryRecord(t *testing.T) {
	b := Build(BatchSpec{LogAppendTime: 77}, []Record{{Timestamp: 5}, {Timestamp: 6}})
	c := Build(BatchSpec{}, []Record{{Timestamp: 5}, {Timestamp: 6}})
	c.SetLogAppendTime(77)
	for _, b := range []Batch{b, c} {
		if err := b.VerifyCRC(); err != nil {
			t.Fatal(err)
		}
		for _, r := range collect(t, b, 0) {
			if r.Timestamp != 77 {
				t.Errorf("record %d has time %d", r.Offset, r.Timestamp)
			}
		}
	}
}

// patch changes a good batch and gives it a good checksum again.
func patch(b Batch, f func(Batch)) Batch {
	c := bytes.Clone(b)
	f(c)
	Batch(c).setCRC()
	return c
}

func TestCheckRefuses(t *testing.T) {
	recs := []Record{{Timestamp: 10, Key: []byte("a"), Value: []byte("1")}, {Timestamp: 20, Key: nil, Value: []byte("2")}}
	good := Build(BatchSpec{}, recs)
	idem := Build(BatchSpec{Producer: &ProducerSpec{ID: 1, Sequence: 0}}, recs)
	i16 := func(at int, v int16) func(Batch) {
		return func(b Batch) { binary.BigEndian.PutUint16(b[at:], uint16(v)) }
	}
	i32 := func(at int, v int32) func(Batch) {
		return func(b Batch) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		b    Batch
		code string
		o    CheckOptions
	}{
		"wrong checksum":             {b: flipped, code: "CORRUPT_MESSAGE"},
		"control":                    {b: patch(good, i16(offAttributes, attrControl)), code: "INVALID_RECORD"},
		"delete horizon":             {b: patch(good, i16(offAttributes, attrDeleteHorizon)), code: "INVALID_RECORD"},
		"log append time":            {b: patch(good, i16(offAttributes, attrTimestampType)), code: "INVALID_TIMESTAMP"},
		"codec 5":                    {b: patch(good, i16(offAttributes, 5)), code: "INVALID_RECORD"},
		"gzip that is none":          {b: patch(good, i16(offAttributes, 1)), code: "INVALID_RECORD", o: CheckOptions{Keys: true, Limit: openLimit}},
		"no records":                 {b: patch(good, i32(offNumRecords, 0)), code: "INVALID_RECORD"},
		"negative records":           {b: patch(good, i32(offNumRecords, -1)), code: "INVALID_RECORD"},
		"delta unlike count":         {b: patch(good, i32(offLastOffsetDelta, 2)), code: "INVALID_RECORD"},
		"a record too many in it":    {b: patch(patch(good, i32(offNumRecords, 1)), i32(offLastOffsetDelta, 0)), code: "INVALID_RECORD"},
		"a record too few in it":     {b: patch(patch(good, i32(offNumRecords, 3)), i32(offLastOffsetDelta, 2)), code: "INVALID_RECORD"},
		"offsets not consecutive":    {b: patch(good, func(b Batch) { b[BatchOverhead+3] = 2 }), code: "INVALID_RECORD"},
		"record length":              {b: patch(good, func(b Batch) { b[BatchOverhead] += 2 }), code: "INVALID_RECORD"},
		"producer without sequence":  {b: patch(idem, i32(offBaseSequence, -1)), code: "INVALID_RECORD"},
		"producer without epoch":     {b: patch(idem, i16(offProducerEpoch, -1)), code: "INVALID_RECORD"},
		"transaction of nobody":      {b: patch(good, i16(offAttributes, attrTransactional)), code: "INVALID_RECORD"},
		"no key on compacted topic":  {b: good, code: "INVALID_RECORD", o: CheckOptions{Keys: true}},
		"time before the range":      {b: good, code: "INVALID_TIMESTAMP", o: CheckOptions{Times: &TimeRange{11, 20}}},
		"time after the range":       {b: good, code: "INVALID_TIMESTAMP", o: CheckOptions{Times: &TimeRange{0, 19}}},
		"compressed, no key":         {b: Build(BatchSpec{Codec: CodecZstd}, recs), code: "INVALID_RECORD", o: CheckOptions{Keys: true, Limit: openLimit}},
		"compressed, out of range":   {b: Build(BatchSpec{Codec: CodecGzip}, recs), code: "INVALID_TIMESTAMP", o: CheckOptions{Times: &TimeRange{0, 19}, Limit: openLimit}},
		"compressed, over the limit": {b: Build(BatchSpec{Codec: CodecLZ4}, recs), code: "MESSAGE_TOO_LARGE", o: CheckOptions{Keys: true, Limit: 5}},
	} {
		_, err := c.b.Check(c.o)
		if got := ErrorCode(err); got == nil || got.Message != c.code {
			t.Errorf("%s: %v (%v), want %s", name, got, err, c.code)
		}
	}
	for _, b := range []Batch{good, idem} {
		if _, err := b.Check(CheckOptions{Times: &TimeRange{10, 20}}); err != nil {
			t.Error(err)
		}
	}
	var re *RecordsError
	_, err := good.Check(CheckOptions{Keys: true})
	if !errors.As(err, &re) || len(re.Records) != 1 || re.Records[0].Index != 1 {
		t.Errorf("which record has no key: %v", err)
	}
}

func TestCheckListsAtMostSoManyRecords(t *testing.T) {
	b := Build(BatchSpec{}, make([]Record, 5000))
	var re *RecordsError
	if _, err := b.Check(CheckOptions{Keys: true}); !errors.As(err, &re) || re.Total != 5000 || len(re.Records) != maxRecordErrors {
		t.Errorf("%v", err)
	}
}

// Kafka recomputes the largest timestamp instead of refusing a wrong one.
func TestWrongMaxTimestampIsFoundAndCorrected(t *testing.T) {
	b := patch(Build(BatchSpec{}, []Record{{Timestamp: 30}, {Timestamp: 20}}), func(b Batch) {
		binary.BigEndian.PutUint64(b[offMaxTimestamp:], 99)
	})
	res, err := b.Check(CheckOptions{})
	if err != nil || res.MaxTimestamp != 30 {
		t.Fatalf("%+v, %v", res, err)
	}
	b.SetMaxTimestamp(res.MaxTimestamp)
	if err := b.VerifyCRC(); err != nil || b.MaxTimestamp() != 30 {
		t.Errorf("%d, %v", b.MaxTimestamp(), err)
	}
}

func TestCompressedIsNotOpenedWithoutNeed(t *testing.T) {
	b := patch(Build(BatchSpec{Codec: CodecZstd}, []Record{{Timestamp: 5}}), func(b Batch) {
		clear(b[BatchOverhead:])
	})
	res, err := b.Check(CheckOptions{Times: &TimeRange{math.MinInt64, 10}})
	if err != nil || res.Opened || res.MaxTimestamp != 5 {
		t.Errorf("%+v, %v", res, err)
	}
}

// The header of a batch tells its first and its newest record, not its oldest.
func TestOldRecordsHideInNoCompressedBatch(t *testing.T) {
	b := Build(BatchSpec{Codec: CodecGzip}, []Record{{Timestamp: 15}, {Timestamp: 2}, {Timestamp: 18}})
	_, err := b.Check(CheckOptions{Times: &TimeRange{10, 20}, Limit: openLimit})
	var bad *RecordsError
	if !errors.As(err, &bad) || bad.Total != 1 || bad.Records[0].Index != 1 || !bad.Timestamp {
		t.Errorf("%v", err)
	}
}

func TestBombsAreNotOpened(t *testing.T) {
	recs := []Record{{Value: make([]byte, 32<<20)}}
	for _, c := range codecs[1:] {
		b := Build(BatchSpec{Codec: c}, recs)
		const limit = 100_000
		var got error
		for _, err := range b.Records(limit) {
			got = err
		}
		if !errors.Is(got, ErrBatchExpands) || !errors.Is(got, ErrBatchInvalid) {
			t.Errorf("%s: %d bytes open to 32 MiB: %v", c, len(b), got)
		}
		out, err := decompress(nil, c, b.Body(), limit)
		if cap(out) > limit || err == nil {
			t.Errorf("%s: held %d bytes, may hold %d: %v", c, cap(out), limit, err)
		}
		size := int64(len(Build(BatchSpec{}, recs).Body()))
		if _, err := decompress(nil, c, b.Body(), size); err != nil {
			t.Errorf("%s: exactly the limit: %v", c, err)
		}
		if _, err := decompress(nil, c, b.Body(), size-1); !errors.Is(err, ErrBatchExpands) {
			t.Errorf("%s: one byte over the limit: %v", c, err)
		}
	}
}

// A buffer that was used for something larger must not widen the limit.
func TestReusedBufferKeepsTheLimit(t *testing.T) {
	for _, c := range codecs[1:] {
		src := compress(nil, c, make([]byte, 5000))
		if _, err := decompress(make([]byte, 0, 1<<16), c, src, 4000); !errors.Is(err, ErrBatchExpands) {
			t.Errorf("%s: %v", c, err)
		}
		if out, err := decompress(make([]byte, 0, 1<<16), c, src, 5000); err != nil || len(out) != 5000 {
			t.Errorf("%s: %d bytes, %v", c, len(out), err)
		}
	}
}

func TestCutCompressedDataIsAnError(t *testing.T) {
	whole := []byte(strings.Repeat("the quick brown fox ", 500))
	for _, c := range codecs[1:] {
		src := compress(nil, c, whole)
		for _, n := range []int{0, 1, len(src) / 2, len(src) - 1} {
			out, err := decompress(nil, c, src[:n], openLimit)
			// Framed formats may end cleanly at a block; then bytes are missing.
			if err == nil && len(out) == len(whole) {
				t.Errorf("%s: %d of %d bytes opened to all", c, n, len(src))
			}
			if err != nil && !errors.Is(err, ErrBatchInvalid) {
				t.Errorf("%s: %v", c, err)
			}
		}
	}
}

// xerial is the framing that Java producers put around snappy blocks.
func xerial(block int, p []byte) []byte {
	out := append(bytes.Clone(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(p) > 0 {
		n := min(block, len(p))
		c := compress(nil, CodecSnappy, p[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(c)))
		out = append(out, c...)
		p = p[n:]
	}
	return out
}

func TestSnappyOfJava(t *testing.T) {
	want := []byte(strings.Repeat("0123456789", 10_000))
	src := xerial(32<<10, want)
	got, err := decompress(nil, CodecSnappy, src, int64(len(want)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := decompress(nil, CodecSnappy, src, int64(len(want))-1); !errors.Is(err, ErrBatchExpands) {
		t.Error(err)
	}
	if _, err := decompress(nil, CodecSnappy, src[:len(src)-3], openLimit); !errors.Is(err, ErrBatchInvalid) {
		t.Error(err)
	}
}

// Java's producer streams its records into zstd, which so does not know their
// size beforehand.
func TestZstdWithoutContentSize(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 130_000, 500_000, 5_000_000} {
		want := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
		var src bytes.Buffer
		z, err := zstd.NewWriter(&src)
		if err != nil {
			t.Fatal(err)
		}
		for rest := want; len(rest) > 0; {
			m := min(len(rest), 7000)
			if _, err := z.Write(rest[:m]); err != nil {
				t.Fatal(err)
			}
			rest = rest[m:]
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{n, n + 1, 10*n + 1<<20} {
			if got, err := decompress(nil, CodecZstd, src.Bytes(), int64(limit)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of %d within %d: %v", len(got), n, limit, err)
			}
		}
		if n > 0 {
			if _, err := decompress(nil, CodecZstd, src.Bytes(), int64(n)-1); !errors.Is(err, ErrBatchExpands) {
				t.Errorf("%d bytes within one less: %v", n, err)
			}
		}
		if bad := bytes.Clone(src.Bytes()); len(bad) > 20 {
			bad[len(bad)-1] ^= 0xff // of the checksum
			if _, err := decompress(nil, CodecZstd, bad, int64(10*n+1<<20)); err == nil || errors.Is(err, ErrBatchExpands) {
				t.Errorf("damaged: %v", err)
			}
		}
	}
}

func TestVarints(t *testing.T) {
	for _, v := range []int64{0, -1, 1, 63, 64, -64, -65, 8191, 8192, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		p := appendVarint(nil, v)
		want := binary.AppendVarint(nil, v)
		if !bytes.Equal(p, want) || varintLen(v) != len(p) {
			t.Errorf("%d is % x, want % x", v, p, want)
		}
		if got, n := varint(append(p, 0xff)); got != v || n != len(p) {
			t.Errorf("%d came back as %d (%d bytes)", v, got, n)
		}
		if _, n := varint(p[:len(p)-1]); n != 0 {
			t.Errorf("%d cut short was read", v)
		}
	}
	if _, n := varint(bytes.Repeat([]byte{0xff}, 11)); n != 0 {
		t.Error("more than 64 bits were read")
	}
}

func TestCodecNames(t *testing.T) {
	names := map[Codec]string{CodecNone: "none", CodecGzip: "gzip", CodecSnappy: "snappy", CodecLZ4: "lz4", CodecZstd: "zstd", 5: "codec 5"}
	for c, want := range names {
		if c.String() != want || c.Known() != (c != 5) {
			t.Errorf("%s, known %v; want %s", c, c.Known(), want)
		}
	}
}

func TestNextBatchFrames(t *testing.T) {
	b := Build(BatchSpec{}, []Record{{Value: []byte("x")}})
	for n := range len(b) {
		if _, _, err := NextBatch(b[:n]); !errors.Is(err, ErrBatchShort) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	old := bytes.Clone(b)
	old[offMagic] = 1
	if _, _, err := NextBatch(old); !errors.Is(err, ErrBatchMagic) {
		t.Error(err)
	}
	for _, l := range []uint32{0, 48, 1 << 31} {
		bad := bytes.Clone(b)
		binary.BigEndian.PutUint32(bad[offLength:], l)
		if _, _, err := NextBatch(bad); !errors.Is(err, ErrBatchInvalid) {
			t.Errorf("length %d: %v", l, err)
		}
	}
}

func TestUUIDText(t *testing.T) {
	u := NewUUID()
	got, err := ParseUUID(u.String())
	if err != nil || got != u || len(u.String()) != 22 || u.IsZero() {
		t.Errorf("%s came back as %s: %v", u, got, err)
	}
	if _, err := ParseUUID("short"); err == nil {
		t.Error("five characters are no id")
	}
}

func BenchmarkCheck(b *testing.B) {
	recs := make([]Record, 1000)
	for i := range recs {
		recs[i] = Record{Timestamp: int64(i), Key: []byte("key-key-key"), Value: make([]byte, 100)}
	}
	for _, c := range codecs {
		batch := Build(BatchSpec{Codec: c}, recs)
		b.Run(c.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(batch)))
			for range b.N {
				if _, err := batch.Check(CheckOptions{Keys: true, Limit: openLimit}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
