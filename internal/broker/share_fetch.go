package broker

import (
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// ShareLimits say how much a Take may take.
type ShareLimits struct {
	Mode                  share.Mode
	MaxRecords, BatchSize int
	MaxBytes              int
	// First says that a batch that is larger than MaxBytes may be taken (KIP-74).
	First bool
}

// ShareTaken is what a member has acquired of a partition.
type ShareTaken struct {
	// Records hold the acquired ones, and maybe others between them. The caller
	// releases them.
	Records  plog.Records
	Acquired []share.Got
	// Count is how many records they are.
	Count int
	// Pos is what the answer has to wait for.
	Pos plog.Pos
}

// shareHead is what is known of a batch of the log.
type shareHead struct {
	base, last, pid int64
	end             int // the byte behind it
	control, txn    bool
}

// shareLook is the memory of a look at the log.
type shareLook struct {
	heads   []shareHead
	batches []share.Batch
	skip    []share.Range
}

// LockDuration is how long a record of the group stays acquired.
func (s *Shares) LockDuration(group string) time.Duration {
	return s.b.Catalog.Snapshot().GroupMillis(group, "share.record.lock.duration.ms")
}

// Take acquires records of a partition for a member; none when there are none to be
// had. It does not wait. The error is a kerr.
func (s *Shares) Take(group, member string, p *Partition, lim ShareLimits) (ShareTaken, error) {
	sp, err := s.find(group, p)
	if err != nil {
		return ShareTaken{}, err
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if err := sp.open(); err != nil {
		return ShareTaken{}, err
	}
	for range looks {
		t, more, err := sp.take(member, lim)
		if err != nil || !more {
			return t, err
		}
	}
	return ShareTaken{}, nil
}

// looks is how often a Take goes on when what it saw was nothing for the group:
// aborted transactions, gaps.
const looks = 16

// firstLook is how many bytes of the log a Take looks at first.
const firstLook = 256 << 10

// take is one round of Take; more says that another may find something. Called with
// mu held.
func (sp *sharePart) take(member string, lim ShareLimits) (t ShareTaken, more bool, err error) {
	log := sp.part.Log
	if start := log.Start(); start > sp.m.Info().Start {
		if _, err := sp.step(share.LogStart{Offset: start}); err != nil {
			return t, false, err
		}
	}
	from, ok := sp.m.Next(sp.shares.b.Now())
	if !ok || from >= log.HighWatermark() {
		return t, false, nil
	}
	records, err := sp.lookAt(from, lim)
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return t, log.Start() > from, nil // the log start has moved meanwhile
	case err != nil:
		return t, false, err
	case records.Size() == 0:
		return t, false, nil
	}
	look := &sp.look
	out, err := sp.step(share.Acquire{
		Member: member, Mode: lim.Mode, MaxRecords: lim.MaxRecords, BatchSize: lim.BatchSize,
		From: from, Batches: look.batches, Skip: look.skip,
	})
	if err != nil || len(out.Acquired) == 0 {
		records.Release()
		return t, err == nil, err
	}
	last := out.Acquired[len(out.Acquired)-1].Last
	i, _ := slices.BinarySearchFunc(look.heads, last, func(h shareHead, o int64) int { return int(min(1, max(-1, h.last-o))) })
	records.Cut(look.heads[min(i, len(look.heads)-1)].end)
	t = ShareTaken{Records: records, Acquired: slices.Clone(out.Acquired), Pos: sp.began}
	if out.Write != nil {
		t.Pos = sp.answerAt() // the locks are part of the state
	}
	for _, g := range out.Acquired {
		t.Count += int(g.Last - g.First + 1)
	}
	sp.counts.delivered += int64(t.Count)
	return t, false, nil
}

// lookAt finds the batches from an offset on that a Take needs to see. Called with mu
// held.
func (sp *sharePart) lookAt(from int64, lim ShareLimits) (plog.Records, error) {
	log, look := sp.part.Log, &sp.look
	want := int64(lim.MaxRecords) + max(0, sp.m.Info().End-from)
	for bytes := min(firstLook, lim.MaxBytes); ; bytes = min(4*bytes, lim.MaxBytes) {
		fetch := log.Fetch
		if sp.view.Committed {
			fetch = log.FetchStable
		}
		records, err := fetch(from, bytes, lim.First)
		if err != nil || records.Size() == 0 {
			return records, err
		}
		look.heads = look.heads[:0]
		sum := int64(0)
		err = records.Batches(func(h kafka.Batch, at int) bool {
			look.heads = append(look.heads, shareHead{h.BaseOffset(), h.LastOffset(), h.ProducerID(), at + h.Size(), h.Control(), h.Transactional()})
			sum += h.LastOffset() - max(from, h.BaseOffset()) + 1
			return sum < want
		})
		if plog.Moved(err) {
			records.Release()
			continue
		}
		if err != nil {
			records.Release()
			return plog.Records{}, err
		}
		if sum < want && bytes < lim.MaxBytes && records.Size() > bytes/2 {
			records.Release()
			continue // there may be more
		}
		if err := sp.sort(from); err != nil {
			records.Release()
			return plog.Records{}, err
		}
		return records, nil
	}
}

// sort tells batches that the group reads from those that it must not see.
func (sp *sharePart) sort(from int64) error {
	look := &sp.look
	look.batches, look.skip = look.batches[:0], look.skip[:0]
	var aborted []plog.AbortedTxn
	if sp.view.Committed && slices.ContainsFunc(look.heads, func(h shareHead) bool { return h.txn && !h.control }) {
		var err error
		if aborted, err = sp.part.Log.Aborted(from, look.heads[len(look.heads)-1].last+1); err != nil {
			return err
		}
	}
	for _, h := range look.heads {
		look.batches = append(look.batches, share.Batch{Base: h.base, Last: h.last})
		gone := h.control || h.txn && slices.ContainsFunc(aborted, func(a plog.AbortedTxn) bool {
			return a.ProducerID == h.pid && a.First <= h.base && h.last <= a.Last
		})
		if gone {
			look.skip = append(look.skip, share.Range{First: h.base, Last: h.last})
		}
	}
	return nil
}

// Waiting returns about how many bytes a member could be given of a partition, counted
// no further than most.
func (s *Shares) Waiting(group string, p *Partition, most int) int {
	sp, err := s.find(group, p)
	if err != nil {
		return 0
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.open() != nil {
		return 0
	}
	from, ok := sp.m.Next(s.b.Now())
	if !ok {
		return 0
	}
	limit := p.Log.HighWatermark()
	if sp.view.Committed {
		limit = p.Log.LastStable()
	}
	return p.Log.Available(max(from, p.Log.Start()), limit, most)
}
