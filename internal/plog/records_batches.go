package plog

import "github.com/leatdev/leat/internal/kafka"

// headAhead is how much is read at a time to find the headers of batches: many small
// batches, or one large.
const headAhead = 4 << 10

// Batches calls fn with the header of each batch of the records, and the byte at which
// it begins, until fn returns false. The header is valid during the call.
func (r *Records) Batches(fn func(head kafka.Batch, at int) bool) error {
	var buf [headAhead]byte
	from, n := 0, 0 // what buf holds
	for at := 0; at < r.size; {
		if at < from || at+kafka.BatchOverhead > from+n {
			from, n = at, min(len(buf), r.size-at)
			if _, err := r.ReadAt(buf[:n], int64(at)); err != nil {
				return readError(r.log, err)
			}
		}
		head := kafka.Batch(buf[at-from : n])
		if len(head) < kafka.BatchOverhead || head.Size() < kafka.BatchOverhead {
			return nil // what follows is no whole batch
		}
		if head = head[:kafka.BatchOverhead]; !fn(head, at) {
			return nil
		}
		at += head.Size()
	}
	return nil
}

// Cut takes away all but the first n bytes.
func (r *Records) Cut(n int) {
	if n >= r.size {
		return
	}
	r.size = n
	for i := range r.parts {
		s := &r.parts[i]
		if n >= int(s.n) {
			n -= int(s.n)
			continue
		}
		s.n = uint32(n)
		n = 0
		if s.n == 0 && s.file != nil {
			r.log.store.files.done(s.file)
			s.file = nil
		}
	}
}
