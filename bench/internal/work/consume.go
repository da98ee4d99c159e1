package work

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

const (
	fetchBytes  = 1 << 20 // of one partition in one answer: Kafka's default
	readers     = 10      // groups at once
	tailRecords = 4096    // of each partition: what counts as the hot tail
	commitEvery = 64      // fetches between the commits of a group
)

// consumeRow reads a log that is there already: from disk, its end while it is hot,
// and by ten groups at once.
type consumeRow struct {
	size int  // of a record
	few  bool // only the parts that depend on the size of records
	mu   sync.Mutex
	logs map[string]*filled // by peer
}

// filled is a topic with records.
type filled struct {
	topic   string
	ends    map[int32]int64
	records int64
}

// filledBy is a topic that holds so many records, with its ends as the broker tells them.
func filledBy(ctx context.Context, r *peers.Running, topic string, parts int, records int64) (*filled, error) {
	c, err := raw.Dial(ctx, r.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ends, err := c.Ends(topic, parts)
	if err != nil {
		return nil, err
	}
	f := &filled{topic: topic, ends: map[int32]int64{}, records: records}
	for p, end := range ends {
		f.ends[int32(p)] = end
	}
	return f, nil
}

func newConsumeRow(size int, few bool) *consumeRow {
	return &consumeRow{size: size, few: few, logs: map[string]*filled{}}
}

// setup fills the log.
func (c *consumeRow) setup(ctx context.Context, e *Env, r *peers.Running) error {
	topic, err := e.newTopic(ctx, r, batchPartitions, nil)
	if err != nil {
		return err
	}
	acked, err := fill(ctx, r.Addr, topic, batchPartitions, c.size, e.LogBytes)
	if err != nil {
		return err
	}
	if err := verify(ctx, r, topic, batchPartitions, acked); err != nil {
		return err
	}
	f, err := filledBy(ctx, r, topic, batchPartitions, acked)
	if err != nil {
		return err
	}
	conn, err := raw.Dial(ctx, r.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	for g := range readers {
		if err := until(ctx, createPatience, func() error { return conn.FindCoordinator(group(g)) }); err != nil {
			return err
		}
		if err := until(ctx, createPatience, func() error { return conn.Commit(group(g), topic, f.ends) }); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.logs[r.Name] = f
	c.mu.Unlock()
	return nil
}

func group(n int) string { return fmt.Sprintf("bench-group-%d", n) }

// fill writes about bytes of batches over all partitions, and returns how many records.
func fill(ctx context.Context, addr, topic string, parts, size int, bytes int64) (int64, error) {
	conn, err := raw.Dial(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	n := recordsFor(size)
	batch := raw.Batch(n, size)
	// A request has at most 16 partitions, so that it is about 1 MiB.
	var frames [][]byte
	per := min(parts, 16)
	for at := 0; at+per <= parts; at += per {
		all := partitions(parts)
		frames = append(frames, raw.ProduceFrame(topic, all[at:at+per], batch))
	}
	var acked, sent int64
	p := raw.Pipeline{Conn: conn, Frames: frames, Partitions: per, Depth: batchDepth, Acked: func(time.Duration) { acked += int64(n * per) }}
	err = p.Run(func() bool {
		more := sent < bytes && ctx.Err() == nil
		sent += int64(len(batch) * per)
		return more
	})
	return acked, errors.Join(err, ctx.Err())
}

func (c *consumeRow) teardown(ctx context.Context, e *Env, r *peers.Running) error {
	f := c.log(r)
	if f == nil {
		return nil
	}
	return e.dropTopic(ctx, r, f.topic)
}

func (c *consumeRow) log(r *peers.Running) *filled {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs[r.Name]
}

func (c *consumeRow) measure(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	f := c.log(r)
	if f == nil {
		return nil, errors.New("the log was not filled")
	}
	var all []Result
	for _, part := range []struct {
		name string
		run  func(context.Context, *Env, *peers.Running) (Result, error)
	}{{"disk", f.fromDisk}, {"cached", f.cached}, {"tail", f.tail}, {"ten", f.tenGroups}, {franz, f.byFranz}} {
		if c.few && (part.name == "tail" || part.name == "ten") {
			continue
		}
		res, err := part.run(ctx, e, r)
		if err != nil {
			return all, fmt.Errorf("%s: %w", part.name, err)
		}
		res.Row = part.name
		if res.Client == "" {
			res.Client = rawClient
		}
		all = append(all, res)
	}
	return all, nil
}

// fromDisk reads the log once, nothing of it being in the page cache.
func (f *filled) fromDisk(ctx context.Context, e *Env, r *peers.Running) (Result, error) {
	if err := e.DropCache(r.Dir); err != nil {
		return Result{}, err
	}
	return f.passes(ctx, r, 1, 0)
}

// cached reads the log again and again, all of it being in the page cache.
func (f *filled) cached(ctx context.Context, e *Env, r *peers.Running) (Result, error) {
	return f.passes(ctx, r, 1, e.Window/2)
}

// tail writes some records and reads the last ones again and again.
func (f *filled) tail(ctx context.Context, e *Env, r *peers.Running) (Result, error) {
	recent := &filled{}
	size := int64(len(raw.Batch(recordsFor(syncValue), syncValue))) // what is written per partition and request
	topic, err := e.newTopic(ctx, r, batchPartitions, nil)
	if err != nil {
		return Result{}, err
	}
	recent.topic, recent.ends = topic, map[int32]int64{}
	rounds := int64(tailRecords / recordsFor(syncValue))
	acked, err := fill(ctx, r.Addr, topic, batchPartitions, syncValue, rounds*size*batchPartitions)
	if err != nil {
		return Result{}, err
	}
	recent.records = acked
	for p := range int32(batchPartitions) {
		recent.ends[p] = acked / batchPartitions
	}
	res, err := recent.passes(ctx, r, 1, e.Window/2)
	return res, errors.Join(err, e.dropTopic(ctx, r, topic))
}

// tenGroups reads the log by ten groups at the same time, nothing of it being in the page cache.
func (f *filled) tenGroups(ctx context.Context, e *Env, r *peers.Running) (Result, error) {
	if err := e.DropCache(r.Dir); err != nil {
		return Result{}, err
	}
	return f.passes(ctx, r, readers, 0)
}

// passes lets n readers read the log at once, each with a connection of its own, and
// each again until the time has passed. More than one commit as groups.
func (f *filled) passes(ctx context.Context, r *peers.Running, n int, atLeast time.Duration) (Result, error) {
	var conns []*raw.Conn
	for range n {
		c, err := raw.Dial(ctx, r.Addr)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		conns = append(conns, c)
	}
	m, err := begin(r)
	if err != nil {
		return Result{}, err
	}
	var records, bytes, fetches atomic.Int64
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			name := ""
			if n > 1 {
				name = group(i)
			}
			for {
				got, size, asked, err := f.pass(ctx, c, name)
				if err != nil {
					errs[i] = err
					return
				}
				records.Add(got)
				bytes.Add(size)
				fetches.Add(asked)
				if time.Since(m.began) >= atLeast {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return Result{}, err
	}
	res, err := m.end()
	if err != nil {
		return res, err
	}
	res.rates(records.Load(), bytes.Load(), fetches.Load())
	read, err := m.diskRead()
	res.Values[DiskReadShare] = float64(read) / (float64(bytes.Load()) / float64(n))
	return res, err
}

// pass reads the log once and counts.
func (f *filled) pass(ctx context.Context, c *raw.Conn, commitAs string) (records, bytes, fetches int64, err error) {
	from := maps.Clone(f.ends)
	for p := range from {
		from[p] = 0
	}
	reader := raw.NewReader(c, f.topic, from, fetchBytes)
	position := func() map[int32]int64 {
		at := map[int32]int64{}
		for p := range f.ends {
			at[p] = reader.Offset(p)
		}
		return at
	}
	for records < f.records {
		if err := ctx.Err(); err != nil {
			return 0, 0, 0, err
		}
		n, size, err := reader.Fetch()
		if err != nil {
			return 0, 0, 0, err
		}
		if n == 0 {
			return 0, 0, 0, fmt.Errorf("an empty answer after %d of %d records", records, f.records)
		}
		records, bytes, fetches = records+n, bytes+size, fetches+1
		if commitAs != "" && fetches%commitEvery == 0 {
			if err := c.Commit(commitAs, f.topic, position()); err != nil {
				return 0, 0, 0, err
			}
		}
	}
	if at := position(); !maps.Equal(at, f.ends) {
		return 0, 0, 0, fmt.Errorf("read up to %v: want %v", at, f.ends)
	}
	return records, bytes, fetches, nil
}

// byFranz reads the log once with franz-go, all of it being in the page cache.
func (f *filled) byFranz(ctx context.Context, e *Env, r *peers.Running) (Result, error) {
	cl, err := newFranz(r.Addr, kgo.ConsumeTopics(f.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return Result{}, err
	}
	defer cl.Close()
	m, err := begin(r)
	if err != nil {
		return Result{}, err
	}
	var n, bytes, polls int64
	for n < f.records {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return Result{}, err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			bytes += int64(len(it.Next().Value))
		}
		n, polls = n+int64(fetches.NumRecords()), polls+1
	}
	if n != f.records {
		return Result{}, fmt.Errorf("%d records were read: want %d", n, f.records)
	}
	res, err := m.end()
	res.Client = franz
	if err == nil {
		res.rates(n, bytes, polls)
	}
	return res, err
}
