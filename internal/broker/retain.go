package broker

import (
	"context"
	"time"
)

// retain applies retention to all partitions, every
// log.retention.check.interval.ms, until ctx ends.
func (b *Broker) retain(ctx context.Context) {
	for {
		wait := time.NewTimer(max(b.Catalog.Snapshot().Millis("log.retention.check.interval.ms"), time.Millisecond))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
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
