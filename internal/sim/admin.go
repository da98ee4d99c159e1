//go:build sim

package sim

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/wal"
)

// administer is the client that makes, changes and deletes topics, deletes
// records, and has the broker do now what it does by itself in time.
func (r *run) administer() {
	for _, name := range r.tune.names {
		if t := r.mem.topic(name); t == nil || t.state == deleted {
			r.createTopic(name)
		}
	}
	for range r.tune.work {
		pause()
		name := r.tune.names[sched.Draw(len(r.tune.names))]
		t := r.mem.topic(name)
		switch n := sched.Draw(30); {
		case t == nil || t.state == deleted:
			r.createTopic(name)
		case t.state != live:
		case n < 2:
			r.deleteTopic(t)
		case n < 4:
			r.growTopic(t)
		case n < 14:
			if p := t.parts[sched.Draw(len(t.parts))]; !p.damaged {
				r.deleteRecords(p)
			}
		case n < 20:
			if err := r.b.Store.Checkpoint(); err != nil && !r.ill() {
				r.fail("checkpoint: %v", err)
			}
			r.hist.note("checkpoint")
		case n < 22:
			r.b.Retain()
		case n < 23:
			done, err := r.b.Store.Scrub(context.Background(), func() int64 { return 1 << 40 })
			r.hist.note("scrubbed: %+v", done)
			if (err != nil || done.Unread > 0) && !r.ill() {
				r.fail("scrub: %+v, %v", done, err)
			}
		default:
			r.compact()
		}
	}
}

// keepTombstones is a delete.retention.ms that no run comes to the end of.
const keepTombstones = "86400000"

// configs of a topic of each kind.
func (r *run) configs(k kind) map[string]string {
	c := map[string]string{"segment.ms": strconv.Itoa([]int{1, 40, 1000, 3_600_000}[sched.Draw(4)])}
	switch k {
	case retaining:
		if sched.Draw(2) == 0 {
			c["retention.ms"] = strconv.Itoa(1 + sched.Draw(3000))
		} else {
			c["retention.bytes"] = strconv.Itoa(sched.Draw(4000))
		}
	case compacted:
		c["cleanup.policy"] = "compact"
		c["min.cleanable.dirty.ratio"] = []string{"0", "0.5"}[sched.Draw(2)]
		c["delete.retention.ms"] = []string{"0", "100", keepTombstones}[sched.Draw(3)]
	case appendTime:
		c["message.timestamp.type"] = "LogAppendTime"
	}
	return c
}

func (r *run) createTopic(name string) {
	k := kind(sched.Draw(int(kinds)))
	t := r.mem.addTopic(name, k, 1+sched.Draw(r.tune.partitions), r.configs(k))
	r.hist.note("create topic %s, %d partitions, %v", name, len(t.parts), t.configs)
	c := r.b.CreateTopics(context.Background(), []broker.NewTopic{{Name: name, Partitions: int32(len(t.parts)), ReplicationFactor: -1, Configs: t.configs}}, false, nil)[0]
	r.hist.note("create topic %s: %v", name, c.Err)
	if c.Err != nil {
		r.refusal("create topic "+name, c.Err)
		// A flush that failed after the change was written leaves it to the next start.
		if r.b.Store.Err() == nil {
			t.state = deleted
		}
		return
	}
	t.id, t.state = c.Topic.ID, live
	r.stat.Topics++
	for _, p := range t.parts {
		r.tuneLog(p)
	}
}

// refusal judges the error of a change of the catalogue.
func (r *run) refusal(what string, err error) {
	r.stat.Refused++
	if !errors.Is(err, kerr.KafkaStorageError) || !r.ill() && !errors.Is(err, wal.ErrFull) {
		r.fail("%s: %v", what, err)
	}
	sched.Sleep(context.Background(), 50*time.Millisecond)
}

func (r *run) deleteTopic(t *topic) {
	t.state = deleting
	r.hist.note("delete topic %s", t.name)
	if err := r.b.DeleteTopics([]*catalog.Topic{r.b.Catalog.Snapshot().TopicByID(t.id)}, nil)[0]; err != nil {
		r.refusal("delete topic "+t.name, err)
		if r.b.Store.Err() == nil {
			t.state = live
		}
		return
	}
	r.hist.note("delete topic %s: done", t.name)
	r.stat.Topics++
	t.state = deleted
}

// growTopic adds a partition.
func (r *run) growTopic(t *topic) {
	if len(t.parts) >= 4 {
		return
	}
	t.asked = len(t.parts) + 1
	r.hist.note("topic %s: %d partitions", t.name, t.asked)
	err := r.b.CreatePartitions(context.Background(), []broker.MorePartitions{{Topic: t.name, Count: int32(t.asked)}}, false, nil)[0]
	r.hist.note("topic %s: %d partitions: %v", t.name, t.asked, err)
	if err != nil {
		r.refusal("more partitions of "+t.name, err)
		return
	}
	t.grow(t.asked)
	r.tuneLog(t.parts[len(t.parts)-1])
	r.stat.Topics++
}

// tuneLog gives a log segments and index intervals that are small enough for the
// few records of a run.
func (r *run) tuneLog(p *partition) {
	if at := r.find(p); at != nil {
		cfg := at.Log.Config()
		cfg.SegmentBytes, cfg.IndexInterval = r.tune.segment, r.tune.index
		at.Log.SetConfig(cfg)
	}
}

// deleteRecords is the DeleteRecords request.
func (r *run) deleteRecords(p *partition) {
	at := r.find(p)
	if at == nil || p.topic.kind == compacted {
		return
	}
	hw := at.Log.HighWatermark()
	offset := max(at.Log.Start(), int64(sched.Draw(int(hw)+1)))
	p.asked = max(p.asked, offset)
	_, pos, err := r.b.Store.Submit(plog.SetStart(at.Log, offset))
	r.hist.note("delete records of %s below %d: position %d, %v", p, offset, pos, err)
	if err == nil {
		err = r.b.Store.Wait(context.Background(), pos)
	}
	if err != nil {
		if p.topic.state == live {
			r.refusal("delete records", err)
		}
		return
	}
	r.stat.DeletedRecords++
	r.hist.note("delete records of %s below %d: done", p, offset)
	if at.Log.Start() < offset && p.topic.state == live {
		r.fail("%s: records below %d are deleted, and the log starts at %d", p, offset, at.Log.Start())
	}
	if p.topic.state == live {
		p.start = max(p.start, offset)
	}
}

// compact compacts the log that needs it most, as the cleaner does in its time.
func (r *run) compact() {
	done, err := r.b.Store.CompactNext(context.Background())
	if err != nil && !r.ill() {
		r.fail("compaction: %v", err)
	}
	if done != nil {
		r.stat.Compactions++
		r.hist.note("compacted %s: %d kept, %d dropped", done.Log.ID(), done.Kept, done.Dropped)
	}
}

// fillDisk takes all space away for a while. Producers are refused then; when it
// is back they are served again by themselves.
func (r *run) fillDisk() {
	ctx := context.Background()
	sched.Sleep(ctx, time.Duration(sched.Draw(200))*time.Millisecond)
	r.d.mem.SetSpace(r.d.mem.Used() + int64(sched.Draw(200<<10)))
	r.hist.note("the disk is full")
	sched.Sleep(ctx, time.Duration(sched.Draw(5000))*time.Millisecond)
	r.d.mem.SetSpace(1 << 40)
	r.hist.note("the disk has room again")
	for range 100 {
		if r.faulty() || r.b.Store.Err() != nil {
			return
		}
		release, err := r.b.Store.Admit(ctx, 100)
		if err == nil {
			release()
			return
		}
		sched.Sleep(ctx, time.Second)
	}
	r.fail("producers are still refused 100 s after the disk has room again")
}
