package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitTimeout bounds the last commit of partitions that are given up.
const commitTimeout = 5 * time.Second

// commitLoop commits as soon as there is something to commit, one commit at a time
// and at most one per interval; what gets done meanwhile goes with the next.
func (w *Worker) commitLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.commitCh:
		}
		if err := w.commit(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Info("commit put off", "group", w.cfg.Group, "error", err)
			sleep(ctx, w.cfg.Retry.Min)
			select { // what could not be committed still waits
			case w.commitCh <- struct{}{}:
			default:
			}
		}
		sleep(ctx, w.cfg.CommitInterval)
	}
}

// commit commits what is done of the partitions given, of all without any, and
// waits for the answer. An error means that something could not be committed now: a
// rebalance is on, or the partition is no longer ours. That is nobody's fault and
// loses nothing. Errors that will not pass end the worker.
func (w *Worker) commit(ctx context.Context, only ...*partition) error {
	w.commitMu.Lock()
	defer w.commitMu.Unlock()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	sent := map[topicPartition]*partition{}
	w.mu.Lock()
	if len(only) == 0 {
		for _, p := range w.parts {
			only = append(only, p)
		}
	}
	for _, p := range only {
		eo, ok := p.toCommit()
		if !ok || w.parts[topicPartition{p.topic, p.num}] != p {
			continue
		}
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.topic][p.num] = eo
		sent[topicPartition{p.topic, p.num}] = p
	}
	w.mu.Unlock()
	if len(sent) == 0 {
		return nil
	}
	var failed error
	w.cl.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, t := range resp.Topics {
			for _, rp := range t.Partitions {
				p := sent[topicPartition{t.Topic, rp.Partition}]
				if p == nil {
					continue
				}
				if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
					failed = fmt.Errorf("%s/%d: %w", t.Topic, rp.Partition, err)
					if neverCommits(err) {
						w.failLocked(fmt.Errorf("committing %s/%d: %w", t.Topic, rp.Partition, err))
					}
					continue
				}
				p.committed = offsets[t.Topic][rp.Partition].Offset
				p.tracker.committed(p.committed)
			}
		}
		w.meter.committed()
		w.resumeRoomy()
		w.changed.Broadcast()
	})
	return failed
}

// neverCommits tells the errors of a commit that waiting does not cure.
func neverCommits(err error) bool {
	for _, e := range []error{kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.InvalidGroupID} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
