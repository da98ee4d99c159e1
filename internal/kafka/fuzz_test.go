package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func seeds(f *testing.F) {
	f.Helper()
	recs := []Record{{Timestamp: 1, Key: []byte("k"), Value: []byte("v")}, {Timestamp: 2, Headers: []Header{{Key: "h"}}}}
	for _, c := range codecs {
		b := Build(BatchSpec{BaseOffset: 3, Codec: c}, recs)
		f.Add([]byte(b))
		f.Add([]byte(b[:len(b)-1]))
		f.Add(append(bytes.Clone(b), b...))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 80))
	huge := Build(BatchSpec{Producer: &ProducerSpec{ID: 1}}, recs)
	binary.BigEndian.PutUint32(huge[offNumRecords:], 1<<31-1)
	f.Add([]byte(huge))
}

// FuzzBatch: whatever comes from the network or the disk is framed, checked and
// walked, or refused with an error of this package; and what Check lets in can
// be read to its last record.
func FuzzBatch(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		const limit = 1 << 20
		rest := p
		for len(rest) > 0 {
			b, after, err := NextBatch(rest)
			if err != nil {
				if !errors.Is(err, ErrBatchShort) && !errors.Is(err, ErrBatchMagic) && !errors.Is(err, ErrBatchInvalid) {
					t.Fatalf("frame: %v", err)
				}
				return
			}
			if len(b)+len(after) != len(rest) {
				t.Fatal("bytes are lost in framing")
			}
			rest = after
			// The mutator will not find a checksum: give it one.
			b = bytes.Clone(b)
			b.setCRC()
			walked, werr := int32(0), error(nil)
			for _, err := range b.Records(limit) {
				if err != nil {
					werr = err
					break
				}
				walked++
			}
			if werr != nil && !errors.Is(werr, ErrBatchInvalid) {
				t.Fatalf("walk: %v", werr)
			}
			_, cerr := b.Check(CheckOptions{Keys: true, Limit: limit})
			var re *RecordsError
			if (cerr == nil || errors.As(cerr, &re)) && (werr != nil || walked != b.NumRecords()) {
				t.Fatalf("checked %v, but of %d records %d were read: %v", cerr, b.NumRecords(), walked, werr)
			}
			if cerr != nil && ErrorCode(cerr).Message == "UNKNOWN_SERVER_ERROR" {
				t.Fatalf("check: %v", cerr)
			}
			if werr == nil && b.Codec() == CodecNone {
				again, err := b.Recompress(CodecSnappy, limit)
				if err != nil {
					t.Fatal(err)
				}
				if back, err := again.Recompress(CodecNone, limit); err != nil || !bytes.Equal(back, b) {
					t.Fatalf("recompressed and back it differs: %v", err)
				}
			}
		}
	})
}

// FuzzDecompress: no input makes an opener panic or hold more than the limit.
func FuzzDecompress(f *testing.F) {
	for _, c := range codecs {
		f.Add(int8(c), compress(nil, c, bytes.Repeat([]byte("leat"), 100)))
	}
	f.Add(int8(CodecSnappy), xerial(50, bytes.Repeat([]byte("leat"), 100)))
	f.Fuzz(func(t *testing.T, c int8, src []byte) {
		const limit = 1 << 16
		out, err := decompress(nil, Codec(c), src, limit)
		if err != nil && !errors.Is(err, ErrBatchInvalid) {
			t.Fatal(err)
		}
		if Codec(c) != CodecNone && cap(out) > limit {
			t.Fatalf("%d bytes held", cap(out))
		}
	})
}
