package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

// shareSource reads as a member of a share group (KIP-932) and accepts what is written.
func (a *app) shareSource(ctx context.Context, o consumeOptions, topics []string) (recordSource, error) {
	if o.group != "" || o.to != "" || len(o.partitions) > 0 || o.fromGiven || o.committed {
		return recordSource{}, cli.Usagef("--share goes with -n alone: the group says where it begins and what it shows; "+
			"`leat group config set %s share.auto.offset.reset=earliest` lets a new one begin at the start", o.share)
	}
	var refused acknowledgements
	opts := []kgo.Opt{kgo.ShareGroup(o.share), kgo.ShareAckCallback(refused.note)}
	if o.limit > 0 {
		// What is not going to be written is left for others.
		opts = append(opts, kgo.ShareMaxRecords(int32(min(o.limit, 500))), kgo.ShareMaxRecordsStrict())
	}
	src, err := a.memberSource(ctx, o.share, true, topics, opts...)
	src.written = func(ctx context.Context, records []*kgo.Record) error {
		src.cl.MarkAcks(kgo.AckAccept, records...)
		if err := errors.Join(src.cl.FlushAcks(ctx), refused.take()); err != nil {
			return fmt.Errorf("written, but not accepted, so that it may come again: %w", err)
		}
		return nil
	}
	return src, err
}

// acknowledgements gathers what became of those that failed; the client calls note
// from goroutines of its own.
type acknowledgements struct {
	mu     sync.Mutex
	failed error
}

func (a *acknowledgements) note(_ *kgo.Client, results kgo.ShareAckResults) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := results.Error(); err != nil && a.failed == nil {
		a.failed = brokerError(err, "")
	}
}

// take returns the first failure since it was called last.
func (a *acknowledgements) take() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.failed
	a.failed = nil
	return err
}
