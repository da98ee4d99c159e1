package broker

import (
	"context"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// retain applies retention to all partitions, every
// log.retention.check.interval.ms, until ctx ends.
func (b *Broker) retain(ctx context.Context) {
	for sched.Sleep(ctx, max(b.Catalog.Snapshot().Millis("log.retention.check.interval.ms"), time.Millisecond)) {
		b.Retain()
	}
}

// Retain applies retention to all partitions now.
func (b *Broker) Retain() {
	for _, l := range b.Store.Logs() {
		if _, err := l.Retain(b.now()); err != nil {
			b.Log.Error("retention failed, will be tried again", "log", l.ID().String(), "err", err)
		}
	}
}
