package worker

import (
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/twmb/franz-go/pkg/kgo"
)

// partition is what the worker knows of one partition while it is assigned to it.
// A partition that goes and comes again gets a new one, so that late results of the
// first time cannot touch the second. Guarded by the worker's mutex.
type partition struct {
	w       *Worker
	topic   string
	num     int32
	name    string // topic/num
	tracker tracker
	// base is where reading began, committed the newest acknowledged commit; -1
	// while unknown.
	base, committed int64
	next            int64  // offset to be read next
	queued          int    // messages waiting
	handedOut       uint64 // one more than the highest number handed out
	active          int    // messages working or settling
	held            int    // messages held
	paused          bool   // not fetched from, being full
	draining        bool   // nothing is handed out any more
	gone            bool   // another worker's, or about to be
	blocked         *Pause
}

type topicPartition struct {
	topic string
	num   int32
}

// add takes a record that was read.
func (p *partition) add(r *kgo.Record, now time.Time) {
	m := &Message{Record: r, Identity: event.Identify(r), part: p}
	m.number = p.tracker.add(r.Offset, r.LeaderEpoch, recordSize(r))
	p.next = r.Offset + 1
	p.queued++
	p.w.queue.add(m, now)
	p.w.meter.read(r.Topic)
}

// full tells whether another poll could take the partition over its bounds.
func (p *partition) full() bool {
	c := &p.w.cfg
	return p.tracker.len() > c.MaxInFlight-p.w.pollMax || p.tracker.bytes >= c.MaxInFlightBytes
}

// roomy is when a full partition is fetched from again: at half its bounds, so that
// it does not flutter.
func (p *partition) roomy() bool {
	c := &p.w.cfg
	return p.tracker.len() <= c.MaxInFlight/2 && p.tracker.bytes <= c.MaxInFlightBytes/2
}

// toCommit returns what to commit, if anything is new.
func (p *partition) toCommit() (kgo.EpochOffset, bool) {
	if offset, epoch, ok := p.tracker.commitable(); ok {
		return kgo.EpochOffset{Epoch: epoch, Offset: offset}, true
	}
	if p.committed < 0 && p.base >= 0 {
		return kgo.EpochOffset{Epoch: -1, Offset: p.base}, true
	}
	return kgo.EpochOffset{}, false
}

func recordSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// sortedPartitions returns the assigned partitions by topic and number.
func (w *Worker) sortedPartitions() []*partition {
	ps := make([]*partition, 0, len(w.parts))
	for _, p := range w.parts {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b *partition) int {
		if c := strings.Compare(a.topic, b.topic); c != 0 {
			return c
		}
		return int(a.num - b.num)
	})
	return ps
}
