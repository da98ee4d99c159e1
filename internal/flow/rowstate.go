package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/flow/join"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rowState is what of a join survives a restart (docs/decisions/join-state.md).
//
// Rows that may be amended stand in <pipeline>.<step>.rows, compacted, under
// their id, as they last were. Rows that came out are read back from the topic
// they came out in, from the offset that the checkpoint names: all parts of
// earlier rows are committed. The checkpoint stands in the same partition of the
// rows topic under the key "checkpoint".
type rowState struct {
	p   *pipeline.Pipeline
	s   *pipeline.Step
	cl  *kgo.Client // partitions are its caller's to say
	adm *kadm.Client
	// open makes a client with more options, for reading.
	open func(...kgo.Opt) (*kgo.Client, error)
	log  *slog.Logger
}

const (
	checkpointKey = "checkpoint"
	// headerRecordKey has the key that a row of the state comes out with.
	headerRecordKey = "leat-row-key"
	// headerRowTime is the row's time in the rows topic, in milliseconds since 1970: the
	// record's own says when it was written.
	headerRowTime = "leat-row-time"
)

// newRowState opens the state of a join; maxBytes is the most a record of the
// rows topic may have.
func newRowState(f *Flow, p *pipeline.Pipeline, s *pipeline.Step, maxBytes int64) (*rowState, error) {
	cl, err := f.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(int32(maxBytes)), kgo.BrokerMaxWriteBytes(int32(max(maxBytes, 100<<20))))
	if err != nil {
		return nil, err
	}
	return &rowState{p: p, s: s, cl: cl, adm: kadm.NewClient(cl), open: f.client, log: f.cfg.Logger}, nil
}

func (rs *rowState) close() { rs.cl.Close() }

// record is a row as the state keeps it: as it comes out, under its id.
func (rs *rowState) record(j *joiner, partition int32, r *join.Row) *kgo.Record {
	rec := j.rowRecord(r)
	if rec.Key != nil {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: headerRecordKey, Value: rec.Key})
	}
	rec.Topic, rec.Key, rec.Partition = rs.p.Rows(rs.s), []byte(r.ID), partition
	// Retention counts from now, not from when the event happened.
	rec.Timestamp = time.Now()
	rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: headerRowTime, Value: strconv.AppendInt(nil, r.Time.UnixMilli(), 10)})
	return rec
}

// save writes the states of some settlements and waits for the cluster to have
// them. It gives up when ctx ends.
func (rs *rowState) save(ctx context.Context, batch []settlement) {
	var records []*kgo.Record
	for _, s := range batch {
		if s.state != nil {
			records = append(records, s.state)
		}
	}
	rs.write(ctx, records)
}

// write waits until the records are written or ctx ends. A record that the
// cluster will never take is given up with a word: its row cannot be amended.
func (rs *rowState) write(ctx context.Context, records []*kgo.Record) {
	for wait := 100 * time.Millisecond; len(records) > 0 && ctx.Err() == nil; wait = min(2*wait, 10*time.Second) {
		var again []*kgo.Record
		for _, res := range rs.cl.ProduceSync(ctx, records...) {
			switch {
			case res.Err == nil:
			case refused(res.Err):
				rs.log.Error("a row's state cannot be written; it cannot be amended", "join", rs.p.Group(rs.s), "row", string(res.Record.Key), "error", res.Err)
			default:
				again = append(again, res.Record)
			}
		}
		if len(again) > 0 {
			rs.log.Warn("a join's state cannot be written, trying again", "join", rs.p.Group(rs.s), "records", len(again))
			pause(ctx, wait)
		}
		records = again
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// load tells a new machine what is known from earlier lives.
func (rs *rowState) load(ctx context.Context, partition int32, m *join.Machine, branches map[string]pipeline.Branch) error {
	committed, err := worker.Committed(ctx, rs.adm, rs.p.Group(rs.s))
	if err != nil {
		return err
	}
	for topic, b := range branches {
		if o, ok := committed.Lookup(topic, partition); ok && o.At >= 0 {
			m.Read(b.Name, o.At)
		}
	}
	from := int64(-1)
	kept := map[string]*kgo.Record{}
	if err := rs.read(ctx, rs.p.Rows(rs.s), partition, 0, func(r *kgo.Record) {
		switch {
		case string(r.Key) == checkpointKey:
			if n, err := strconv.ParseInt(string(r.Value), 10, 64); err == nil {
				from = n
			}
		case r.Value == nil:
			delete(kept, string(r.Key))
		default:
			kept[string(r.Key)] = r
		}
	}); err != nil {
		return err
	}
	for _, r := range kept {
		if row, ok := rs.row(r); ok {
			m.Restore(row, false)
		}
	}
	if from < 0 {
		// The join is new: what stands in its topic is not its own. Nothing comes out
		// before this checkpoint is written.
		ends, err := rs.adm.ListEndOffsets(ctx, rs.s.To)
		if err != nil {
			return err
		}
		end, ok := ends.Lookup(rs.s.To, partition)
		switch {
		case !ok:
			return fmt.Errorf("there is no partition %s/%d", rs.s.To, partition)
		case end.Err != nil:
			return fmt.Errorf("the end of %s/%d is not known: %w", rs.s.To, partition, end.Err)
		}
		rs.checkpoint(ctx, partition, end.Offset, nil)
		return ctx.Err()
	}
	return rs.read(ctx, rs.s.To, partition, from, func(r *kgo.Record) {
		if row, ok := rs.row(r); ok {
			m.Restore(row, true)
		}
	})
}

// row reads a row back. Records that other writers put beside the join's rows
// are none.
func (rs *rowState) row(r *kgo.Record) (join.Row, bool) {
	header := func(name string) string { v, _ := event.Header(r.Headers, name); return string(v) }
	if header(event.HeaderPipeline) != rs.p.Name || header(event.HeaderStep) != rs.s.Name || header(headerRow) == "" {
		return join.Row{}, false
	}
	row := join.Row{ID: header(event.HeaderEventID), Key: header(event.HeaderCorrelationID), Time: r.Timestamp,
		Parts: map[string]join.Part{}, Emitted: header(headerRow) != "withheld"}
	if rs.s.Join.By != nil {
		row.Key = header(headerJoinKey)
	}
	if ms, err := strconv.ParseInt(header(headerRowTime), 10, 64); err == nil && r.Topic == rs.p.Rows(rs.s) {
		row.Time = time.UnixMilli(ms)
	}
	var values map[string]json.RawMessage
	var events map[string]string
	if json.Unmarshal(r.Value, &values) != nil || json.Unmarshal([]byte(header(headerParts)), &events) != nil {
		return join.Row{}, false
	}
	if raw, ok := values["missing"]; ok && json.Unmarshal(raw, &row.Missing) != nil {
		return join.Row{}, false
	}
	if string(values["amended"]) == "true" {
		row.Amended = true
	}
	key := r.Key
	if r.Topic == rs.p.Rows(rs.s) {
		key, _ = event.Header(r.Headers, headerRecordKey)
	}
	// These are the state's alone: the row comes out again without them.
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h kgo.RecordHeader) bool { return h.Key == headerRecordKey || h.Key == headerRowTime })
	id := event.Identify(r)
	id.ID, id.Root = header(event.HeaderCorrelationID), header(event.HeaderCorrelationID)
	meta := &partMeta{key: key, record: r, id: id}
	meta.detach()
	for b, value := range values {
		if e, ok := events[b]; ok {
			row.Parts[b] = join.Part{Branch: b, Key: row.Key, Event: e, Time: row.Time, Value: value, Meta: meta}
		}
	}
	return row, true
}

// checkpoint notes that all parts of rows below an offset are committed, and
// deletes the states of rows that were completed since.
func (rs *rowState) checkpoint(ctx context.Context, partition int32, offset int64, forget []string) {
	topic := rs.p.Rows(rs.s)
	records := []*kgo.Record{{Topic: topic, Partition: partition, Key: []byte(checkpointKey), Value: strconv.AppendInt(nil, offset, 10)}}
	for _, id := range forget {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Key: []byte(id)})
	}
	rs.write(ctx, records)
}

// read calls fn for each record of a partition from an offset to what is its end
// now.
func (rs *rowState) read(ctx context.Context, topic string, partition int32, from int64, fn func(*kgo.Record)) error {
	starts, err := rs.adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	ends, err := rs.adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	start, ok1 := starts.Lookup(topic, partition)
	end, ok2 := ends.Lookup(topic, partition)
	if !ok1 || !ok2 {
		return fmt.Errorf("there is no partition %s/%d", topic, partition)
	}
	if err := errors.Join(start.Err, end.Err); err != nil {
		return fmt.Errorf("the offsets of %s/%d are not known: %w", topic, partition, err)
	}
	at := max(from, start.Offset)
	if at >= end.Offset {
		return nil
	}
	cl, err := rs.open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(at)}}))
	if err != nil {
		return err
	}
	defer cl.Close()
	for idle := 0; at < end.Offset && idle < 2; {
		// A compacted partition may have nothing left before its end. That the
		// cluster answers but sends nothing, twice, says so.
		poll, cancel := context.WithTimeout(ctx, idleRead)
		fetches := cl.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			if err := cl.Ping(ctx); err != nil {
				return err
			}
			idle++
			continue
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return errs[0].Err
		}
		idle = 0
		fetches.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			fn(r)
		})
	}
	return nil
}

// idleRead is how long a read waits for records that must be there.
const idleRead = 5 * time.Second
