package broker

import (
	"context"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// firstScrub is how long after a start the first scrub begins at the latest.
const firstScrub = time.Hour

// scrub reads all complete segments back, slowly, again and again with
// leat.scrub.interval.ms between the rounds, until ctx ends. What it finds damaged is
// logged, counted and noted in the data directory.
func (b *Broker) scrub(ctx context.Context) {
	pause := func() time.Duration {
		if d := b.scrubInterval(); d >= 0 {
			return max(d, time.Millisecond)
		}
		return firstScrub // it may be set while we run
	}
	for next := min(firstScrub, pause()); sched.Sleep(ctx, next); next = pause() {
		if b.scrubInterval() < 0 {
			continue
		}
		before := len(b.Store.Damage())
		done, err := b.Store.Scrub(ctx, func() int64 { return b.Catalog.Snapshot().Int("leat.scrub.bytes.per.second") })
		if err != nil {
			return // the only error is that of ctx
		}
		b.scrubbed.Add(done.Bytes)
		b.Log.Info("segments were read back", "segments", done.Segments, "bytes", done.Bytes, "unreadable", done.Unread, "newly_damaged", len(b.Store.Damage())-before)
	}
}

// scrubInterval is leat.scrub.interval.ms; negative for never.
func (b *Broker) scrubInterval() time.Duration {
	return b.Catalog.Snapshot().Millis("leat.scrub.interval.ms")
}

// Scrubbed returns the bytes of segments that were read back in rounds that ended.
func (b *Broker) Scrubbed() int64 { return b.scrubbed.Load() }
