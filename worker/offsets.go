package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// RetentionError says that records which the group had not read are no longer
// there: the worker stops rather than skip them.
type RetentionError struct {
	Group string
	// Lost has one entry per partition, sorted.
	Lost []LostRange
}

// LostRange is what one partition lacks.
type LostRange struct {
	Topic     string
	Partition int32
	// Next is the offset the group wanted to read. The log now has Start to End.
	Next, Start, End int64
}

// Records is how many records the group can no longer read: those before the log's
// start; none when Next is beyond its end (the topic was made anew or cut off).
func (l LostRange) Records() int64 { return max(l.Start-l.Next, 0) }

func (e *RetentionError) Error() string {
	var b strings.Builder
	var total int64
	for _, l := range e.Lost {
		total += l.Records()
		if l.Next < l.Start {
			fmt.Fprintf(&b, "; %s/%d lost %d (wanted offset %d, the log starts at %d)", l.Topic, l.Partition, l.Records(), l.Next, l.Start)
		} else {
			fmt.Fprintf(&b, "; %s/%d wants offset %d and the log ends at %d (was the topic deleted and made again?)", l.Topic, l.Partition, l.Next, l.End)
		}
	}
	return fmt.Sprintf("%d records are gone that group %q has not read%s. Nothing was skipped: to go on without them, set the group's offsets to the log start yourself, for instance with kafka-consumer-groups --reset-offsets --to-earliest", total, e.Group, b.String())
}

// prepareOffsets commits where to begin, for topics of which the group has
// committed nothing yet. It does so for all their partitions before it joins:
// what "latest" meant is then decided once for all members, and holds after a
// restart, even if nothing was read in between. It tries until the cluster answers.
func (w *Worker) prepareOffsets(ctx context.Context) error {
	cl, err := kgo.NewClient(w.adminOpts()...)
	if err != nil {
		return fmt.Errorf("making the Kafka client: %w", err)
	}
	defer cl.Close()
	for try := 0; ; try++ {
		err := w.prepareOnce(ctx, kadm.NewClient(cl))
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if neverCommits(err) {
			return err
		}
		w.note(err)
		w.cfg.Logger.Warn("cannot read the group's offsets yet", "group", w.cfg.Group, "error", err)
		sleep(ctx, w.cfg.Retry.backoff(try))
	}
}

func (w *Worker) prepareOnce(ctx context.Context, adm *kadm.Client) error {
	known, err := Committed(ctx, adm, w.cfg.Group)
	if err != nil {
		return err
	}
	var fresh []string
	for _, t := range w.cfg.Topics {
		if len(known[t]) == 0 {
			fresh = append(fresh, t)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	starts, err := w.resolveStart(ctx, adm, fresh)
	if err != nil {
		return err
	}
	commit := kadm.Offsets{}
	var unknown error // a start that is not known now must not become another one
	starts.Each(func(l kadm.ListedOffset) {
		switch {
		case l.Err == nil:
			commit.AddOffset(l.Topic, l.Partition, l.Offset, -1)
		case !errors.Is(l.Err, kerr.UnknownTopicOrPartition):
			unknown = fmt.Errorf("asking where %s/%d begins: %w", l.Topic, l.Partition, l.Err)
		}
	})
	if unknown != nil {
		return unknown
	}
	if len(commit) == 0 {
		return nil // none of the topics exists yet: all that comes is to be read
	}
	resp, err := adm.CommitOffsets(ctx, w.cfg.Group, commit)
	if err == nil {
		err = resp.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress) {
		// The group has members: they have committed meanwhile, or these topics
		// are new to the group. What is not committed begins at Start on assignment.
		w.mu.Lock()
		for _, t := range fresh {
			w.fresh[t] = true
		}
		w.mu.Unlock()
		return nil
	}
	return err
}

func (w *Worker) resolveStart(ctx context.Context, adm *kadm.Client, topics []string) (kadm.ListedOffsets, error) {
	switch s := w.cfg.Start; {
	case s.latest:
		return adm.ListEndOffsets(ctx, topics...)
	case !s.at.IsZero():
		return adm.ListOffsetsAfterMilli(ctx, s.at.UnixMilli(), topics...)
	}
	return adm.ListStartOffsets(ctx, topics...)
}

// adjustOffsets is called with the offsets of newly assigned partitions before
// reading begins. It finds the beginning of those without a commit (a partition
// that a known topic gained: its first record) and stops the worker when records
// are missing between what was committed and what the log still has.
func (w *Worker) adjustOffsets(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-w.ready
	var topics, fresh []string
	w.mu.Lock()
	for t := range offsets {
		topics = append(topics, t)
		if w.fresh[t] {
			fresh = append(fresh, t)
		}
	}
	w.mu.Unlock()
	if len(topics) == 0 {
		return offsets, nil
	}
	adm := kadm.NewClient(w.cl)
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var begin kadm.ListedOffsets
	if len(fresh) > 0 {
		if begin, err = w.resolveStart(ctx, adm, fresh); err != nil {
			return nil, err
		}
	}
	var lost []LostRange
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, ps := range offsets {
		for num, o := range ps {
			start, ok1 := starts.Lookup(t, num)
			end, ok2 := ends.Lookup(t, num)
			b, chosen := begin.Lookup(t, num)
			switch err := errors.Join(start.Err, end.Err, b.Err); {
			case errors.Is(err, kerr.UnknownTopicOrPartition), !ok1, !ok2:
				continue // deleted meanwhile
			case err != nil: // the client joins again and asks again
				return nil, fmt.Errorf("asking for the offsets of %s/%d: %w", t, num, err)
			}
			at := o.EpochOffset().Offset
			if at < 0 {
				at = start.Offset
				if chosen {
					at = b.Offset
				}
				ps[num] = kgo.NewOffset().At(at)
			}
			if at < start.Offset || at > end.Offset {
				lost = append(lost, LostRange{t, num, at, start.Offset, end.Offset})
			}
			if p := w.parts[topicPartition{t, num}]; p != nil {
				p.base, p.next = at, at
				if o.EpochOffset().Offset >= 0 {
					p.committed = at
				}
			}
		}
	}
	if len(lost) > 0 {
		err := w.retentionError(lost)
		w.failLocked(err)
		return nil, err
	}
	select { // first positions are committed, too
	case w.commitCh <- struct{}{}:
	default:
	}
	return offsets, nil
}

func (w *Worker) retentionError(lost []LostRange) *RetentionError {
	slices.SortFunc(lost, func(a, b LostRange) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return &RetentionError{Group: w.cfg.Group, Lost: lost}
}

// fetchErrors looks at what a poll met besides records. It tells whether to wait a
// little before the next poll.
func (w *Worker) fetchErrors(ctx context.Context, fetches kgo.Fetches) (trouble bool) {
	outOfRange := map[string]map[int32]bool{}
	fetches.EachError(func(topic string, num int32, err error) {
		var loss *kgo.ErrDataLoss
		switch {
		case ctx.Err() != nil || errors.Is(err, context.Canceled):
		case errors.Is(err, kerr.OffsetOutOfRange):
			if outOfRange[topic] == nil {
				outOfRange[topic] = map[int32]bool{}
			}
			outOfRange[topic][num] = true
		case errors.As(err, &loss):
			w.note(err)
			w.cfg.Logger.Error("the broker lost records that were read already", "group", w.cfg.Group, "error", err)
		case neverCommits(err):
			w.fail(fmt.Errorf("reading %s: %w", topic, err))
		default:
			trouble = true
			w.note(err)
			w.complain(topic, num, err)
		}
	})
	if len(outOfRange) > 0 {
		if err := w.explainOutOfRange(ctx, outOfRange); err != nil && ctx.Err() == nil {
			trouble = true // the next poll meets it again
			w.note(err)
			w.complain("", -1, err)
		}
	}
	return trouble
}

// complainEvery is how often a failure to read is logged: a cluster that is away
// makes several a second.
const complainEvery = 30 * time.Second

// complain logs that reading fails. The loop that polls calls it.
func (w *Worker) complain(topic string, num int32, err error) {
	now := time.Now()
	if !w.complained.IsZero() && now.Sub(w.complained) < complainEvery {
		return
	}
	w.complained = now
	args := []any{"group", w.cfg.Group, "error", err}
	if topic != "" { // it is about one partition, not about the group
		args = append(args, "topic", topic, "partition", num)
	}
	w.cfg.Logger.Warn("reading fails, trying again", args...)
}

// explainOutOfRange stops the worker because retention overtook it while it read.
// An error means that the cluster cannot say just now how much is lost.
func (w *Worker) explainOutOfRange(ctx context.Context, parts map[string]map[int32]bool) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var topics []string
	for t := range parts {
		topics = append(topics, t)
	}
	adm := kadm.NewClient(w.cl)
	starts, err1 := adm.ListStartOffsets(ctx, topics...)
	ends, err2 := adm.ListEndOffsets(ctx, topics...)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("looking for what retention has taken: %w", err)
	}
	var lost []LostRange
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, nums := range parts {
		for num := range nums {
			p := w.parts[topicPartition{t, num}]
			if p == nil {
				continue
			}
			start, _ := starts.Lookup(t, num)
			end, _ := ends.Lookup(t, num)
			if err := errors.Join(start.Err, end.Err); err != nil {
				return fmt.Errorf("looking for what retention has taken of %s/%d: %w", t, num, err)
			}
			lost = append(lost, LostRange{Topic: t, Partition: num, Next: p.next, Start: start.Offset, End: end.Offset})
		}
	}
	if len(lost) > 0 {
		w.failLocked(w.retentionError(lost))
	}
	return nil
}

// note keeps a failure that has no class for the status.
func (w *Worker) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meter.note(err, time.Now())
}
