package broker

import (
	"context"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// clean compacts the log that needs it most, again and again, and rests for
// log.cleaner.backoff.ms when none does, until ctx ends.
func (b *Broker) clean(ctx context.Context) {
	for ctx.Err() == nil {
		done, err := b.Store.CompactNext(ctx)
		if err != nil && ctx.Err() == nil {
			b.Log.Error("compaction failed, will be tried again", "err", err)
		}
		if done != nil {
			b.Log.Debug("compacted", "log", done.Log.ID().String(), "bytes_before", done.Before, "bytes_after", done.After, "dropped", done.Dropped)
			continue
		}
		sched.Sleep(ctx, max(b.Catalog.Snapshot().Millis("log.cleaner.backoff.ms"), time.Millisecond))
	}
}
