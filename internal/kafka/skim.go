package kafka

import "encoding/binary"

// skim steps over a record as nearly all are: no headers, no length or delta of
// more than three bytes. It returns the bytes taken, 0 when the record is of another
// kind, the last of a batch and tiny, or anything is wrong with it: readRecord decides
// then. It reads nothing but the lengths, in a tenth of the time, which is what checking
// a batch of small records is made of.
func skim(p []byte) (n int, timestampDelta int64, offsetDelta int32, hasKey bool) {
	if len(p) < skimmable {
		return 0, 0, 0, false
	}
	w := binary.LittleEndian.Uint64(p)
	length, at := shortVarint(w)
	end := int(at + length>>1)
	// One more than the length: the attributes, of which none are defined.
	ts, size := shortVarint(w >> (8*at + 8))
	if at == 0 || size == 0 || length&1 != 0 || end > len(p) {
		return 0, 0, 0, false
	}
	at += 1 + size
	w = binary.LittleEndian.Uint64(p[at:])
	offset, size := shortVarint(w)
	key, keySize := shortVarint(w >> (8 * size))
	if size == 0 || keySize == 0 || (offset|key)&1 != 0 && (offset&1 != 0 || key != nullLength) {
		return 0, 0, 0, false
	}
	at += size + keySize
	if hasKey = key != nullLength; hasKey {
		if at += key >> 1; int(at)+8 > len(p) {
			return 0, 0, 0, false
		}
		w = binary.LittleEndian.Uint64(p[at:])
	} else {
		w >>= 8 * (size + keySize)
	}
	value, size := shortVarint(w)
	if size == 0 || value&1 != 0 && value != nullLength {
		return 0, 0, 0, false
	}
	if at += size; value != nullLength {
		at += value >> 1
	}
	// One byte is left: no headers.
	if int(at) != end-1 || p[at] != 0 {
		return 0, 0, 0, false
	}
	return end, int64(ts>>1) ^ -int64(ts&1), int32(offset >> 1), hasKey
}

// skimmable is how many bytes skim reads without looking whether they are there: three
// varints and the attributes, and the word behind them.
const skimmable = 16

// nullLength is -1 in zigzag.
const nullLength = 1

// shortVarint reads a varint of at most three bytes at the low end of w, still in zigzag,
// and returns how many bytes it has; 0 when it has more.
func shortVarint(w uint64) (u, size uint64) {
	switch {
	case w&0x80 == 0:
		return w & 0x7f, 1
	case w&0x8000 == 0:
		return w&0x7f | w>>1&0x3f80, 2
	case w&0x800000 == 0:
		return w&0x7f | w>>1&0x3f80 | w>>2&0x1fc000, 3
	}
	return 0, 0
}
