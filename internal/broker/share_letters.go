package broker

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
)

// letters makes the dead letters of a range, up to deadBytes of them; last is how far
// they go. Records that are no more in the log have none; those that are there and
// cannot be read have one that says so, without the record: what comes behind them must
// not wait for what will not be better. An error is one of the log as a whole.
func (sp *sharePart) letters(d share.Dead, whole bool) (out []kafka.Record, last int64, err error) {
	l := &lettering{sp: sp, d: d, at: d.First}
	if !whole {
		l.without(d.Last, nil)
		return l.out, d.Last, nil
	}
	log := sp.part.Log
	l.at = max(l.at, log.Start())
	for l.more() {
		b, err := log.Read(l.at, deadBytes, true)
		switch {
		case errors.Is(err, kerr.CorruptMessage):
			l.without(l.at, err)
			continue
		case err != nil:
			return nil, 0, fmt.Errorf("the records cannot be read: %w", err)
		case len(b) == 0:
			return l.out, d.Last, nil // nothing is there any more
		}
		for len(b) > 0 && l.more() {
			var batch kafka.Batch
			if batch, b, err = kafka.NextBatch(b); err != nil {
				return nil, 0, fmt.Errorf("the records cannot be read: %w", err)
			}
			l.batch(batch)
		}
	}
	return l.out, min(l.at-1, d.Last), nil
}

// lettering is the dead letters of a range as they are made.
type lettering struct {
	sp   *sharePart
	d    share.Dead
	at   int64 // the offset that comes next
	size int
	out  []kafka.Record
}

func (l *lettering) more() bool { return l.at <= l.d.Last && l.size < deadBytes }

// batch makes the letters of a batch that holds the next offset, or is behind it.
func (l *lettering) batch(b kafka.Batch) {
	for r, err := range b.Records(openLimit) {
		switch {
		case err != nil:
			l.at = max(l.at, b.BaseOffset())
			l.without(min(b.LastOffset(), l.d.Last), err)
			return
		case r.Offset < l.at || b.Control():
			continue
		case l.size >= deadBytes:
			return
		case r.Offset > l.d.Last: // there are none between: compaction took them
			l.at = l.d.Last + 1
			return
		}
		l.at = r.Offset + 1
		l.size += len(r.Key) + len(r.Value)
		r.Headers = l.sp.deadHeaders(r.Headers, r.Offset, l.d, nil)
		l.out = append(l.out, r)
	}
	if l.size < deadBytes {
		l.at = max(l.at, b.NextOffset())
	}
}

// without makes letters up to last that have only headers: because of err, or because
// more is not wanted.
func (l *lettering) without(last int64, err error) {
	now := l.sp.shares.b.Now().UnixMilli()
	for ; l.at <= last; l.at++ {
		l.out = append(l.out, kafka.Record{Offset: l.at, Timestamp: now, Headers: l.sp.deadHeaders(nil, l.at, l.d, err)})
	}
}

// deadHeaders adds what happened to a record's own headers; unread is why the letter
// goes without the record.
func (sp *sharePart) deadHeaders(own []kafka.Header, offset int64, d share.Dead, unread error) []kafka.Header {
	add := func(name, value string) {
		own = append(own, kafka.Header{Key: deadHeader + name, Value: []byte(value)})
	}
	add("topic", sp.part.Topic())
	add("partition", strconv.Itoa(int(sp.key.partition)))
	add("offset", strconv.FormatInt(offset, 10))
	add("group", sp.key.group)
	add("delivery.count", strconv.Itoa(int(d.Count)))
	message := d.Cause.String()
	if unread != nil {
		message += " The record cannot be read: " + unread.Error()
	}
	add("message", message)
	return own
}

// deadBatches puts dead letters into batches that the topic takes; one that is larger
// than it takes is alone in one, and goes in all the same: it was taken once.
func deadBatches(letters []kafka.Record, view *catalog.View) (out []kafka.Batch, size int, err error) {
	for len(letters) > 0 {
		n, bytes := 0, kafka.BatchOverhead
		for n < len(letters) {
			more := len(letters[n].Key) + len(letters[n].Value) + 32
			for _, h := range letters[n].Headers {
				more += len(h.Key) + len(h.Value) + 10
			}
			if n > 0 && bytes+more > min(view.MaxMessageBytes, deadBytes) {
				break
			}
			bytes += more
			n++
		}
		b := kafka.Build(kafka.BatchSpec{}, letters[:n])
		if view.Recompress && b.Codec() != view.Codec {
			if b, err = b.Recompress(view.Codec, openLimit); err != nil {
				return nil, 0, err
			}
		}
		out, size, letters = append(out, b), size+len(b), letters[n:]
	}
	return out, size, nil
}
