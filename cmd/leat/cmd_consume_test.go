package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// filled starts a broker with topic in: partition 0 holds v0..v9, one a minute
// from noon, partition 1 nothing.
func filled(t *testing.T) *bench {
	b := setup(t, "in")
	noon := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for i := range 10 {
		b.produce(&kgo.Record{Topic: "in", Key: []byte{byte('a' + i)}, Value: fmt.Appendf(nil, "v%d", i), Timestamp: noon.Add(time.Duration(i) * time.Minute)})
	}
	return b
}

func TestConsumeFromTo(t *testing.T) {
	t.Parallel()
	b := filled(t)
	for _, c := range []struct{ args, want string }{
		{"--to end", "v0 v1 v2 v3 v4 v5 v6 v7 v8 v9"},
		{"--from 7 --to end", "v7 v8 v9"},
		{"--from -2 --to end", "v8 v9"},
		{"--from +8 --to end", "v8 v9"},
		{"--from 2 --to 4", "v2 v3"},
		{"--from @2026-01-15T12:06:30Z --to end", "v7 v8 v9"},
		{"--to @2026-01-15T12:02:00Z", "v0 v1"},
		{"--from end --to end", ""},
		{"--from 99 --to end", ""},
		{"--from 5 --to 3", ""},
		{"-n 3", "v0 v1 v2"},
		{"-p 1 --to end", ""},
		{"-p 0 -n 1", "v0"},
	} {
		got := strings.Join(strings.Fields(b.mustRun(append([]string{"consume", "in"}, strings.Fields(c.args)...)...)), " ")
		if got != c.want {
			t.Errorf("consume in %s: %q, want %q", c.args, got, c.want)
		}
	}
}

func TestConsumeFormats(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.produce(&kgo.Record{Topic: "in", Partition: 1, Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(1768471200123),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}})
	for _, c := range []struct{ layout, want string }{
		{`%t %p %o %k %v %h`, "in 1 0 k v a=1,b=2\n"},
		{`%v\n`, "v\n"},
		{`%v\n--\n`, "v\n--\n"},
		{`{%h} %% %h{[%k:%v]} {%k}`, "{a=1,b=2} % [a:1][b:2] {k}\n"},
		{`%d %V %v{hex}`, "1768471200123 1 76\n"},
		{`%d{strftime[%H:%M]} %v{base64}`, "10:00 dg==\n"},
	} {
		if r := b.run("consume", "in", "--to", "end", "-f", c.layout); r.out != c.want {
			t.Errorf("%s: %q %s, want %q", c.layout, r.out, r.err, c.want)
		}
	}
	b.same(b.mustRun("consume", "in", "--to", "end", "-o", "wide"), "in/1/0\t2026-01-15T10:00:00.123Z\tk\tv\ta=1,b=2\n")
	b.same(b.mustRun("consume", "in", "--to", "end", "-o", "json"),
		`{"topic":"in","partition":1,"offset":0,"tstype":"create","ts":1768471200123,"headers":["a","1","b","2"],"key":"k","payload":"v"}`+"\n")
}

func TestConsumeUsage(t *testing.T) {
	t.Parallel()
	b := filled(t)
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"consume in -o yaml", "text, wide or json", 2},
		{"consume in -o json -f %v", "choose one", 2},
		{"consume in -f %q", "unknown escape", 2},
		{"consume in -n -1", "want 0 or more", 2},
		{"consume in -g g --to end", "not with --to or -p", 2},
		{"consume in -g g --from -3", "leat group seek", 2},
		{"consume nowhere", "topic nowhere: UNKNOWN_TOPIC_OR_PARTITION: there is no such topic", 1},
		{"consume nowhere -g g", "topic nowhere: UNKNOWN_TOPIC_OR_PARTITION", 1},
		{"consume in -p 5", "there is no partition 5", 1},
	} {
		r := b.run(strings.Fields(c.args)...)
		if r.code != c.code || r.out != "" {
			t.Errorf("leat %s: exit %d, stdout %q", c.args, r.code, r.out)
		}
		b.contains(r.err, c.want)
	}
}

// A group commits what was written and no more, and goes on from there.
func TestConsumeGroup(t *testing.T) {
	t.Parallel()
	b := filled(t)
	b.same(b.mustRun("consume", "in", "-g", "g", "-n", "3"), "v0\nv1\nv2\n")
	b.same(b.mustRun("consume", "in", "-g", "g", "-n", "2"), "v3\nv4\n")
	committed, err := kadm.NewClient(b.client()).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := committed.Lookup("in", 0); o.At != 5 {
		t.Errorf("committed %d, want 5", o.At)
	}
	b.same(b.mustRun("consume", "in", "-g", "late", "--from", "@2026-01-15T12:08:00Z", "-n", "2"), "v8\nv9\n")
}

// Following a topic ends with an interrupt, and that is no failure.
func TestConsumeFollowsUntilInterrupted(t *testing.T) {
	t.Parallel()
	b := filled(t)
	for _, args := range [][]string{{"consume", "in", "--from", "end"}, {"consume", "in", "-g", "g", "--from", "start"}} {
		ctx, interrupt := context.WithCancel(t.Context())
		pr, pw := io.Pipe()
		done := make(chan int, 1)
		var errs bytes.Buffer
		go func() {
			w := b.world(nil, &errs)
			w.Out = pw
			done <- run(ctx, w, append(args, "-f", "%v"))
			pw.Close()
		}()
		stop := make(chan struct{})
		go func() { // from end: something must come after it began
			cl := b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
			for {
				select {
				case <-stop:
					return
				default:
					cl.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte("new")})
				}
			}
		}()
		line := make([]byte, 1)
		if _, err := io.ReadFull(pr, line); err != nil {
			t.Fatal(err)
		}
		interrupt()
		close(stop)
		go func() { _, _ = io.Copy(io.Discard, pr) }()
		if code := <-done; code != 0 {
			t.Errorf("%v: exit %d, %s", args, code, errs.String())
		}
	}
}

// Offsets before the stop that hold no records any more must not be waited for:
// the broker tells of an end that compaction has emptied.
func TestConsumeToAnEndThatIsEmpty(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &bench{t: t, addr: c.ListenAddrs()[0]}
	b.produce(&kgo.Record{Topic: "in", Value: []byte("v0")}, &kgo.Record{Topic: "in", Value: []byte("v1")})
	const end = 5
	c.ControlKey(int16(kmsg.ListOffsets), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.ListOffsetsRequest)
		if len(req.Topics) != 1 || req.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = "in"
		rp := kmsg.NewListOffsetsResponseTopicPartition()
		rp.Offset, rp.Timestamp = end, -1
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.FetchRequest)
		if len(req.Topics) == 0 || req.Topics[0].Partitions[0].FetchOffset < 2 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		resp.SessionID = 0
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		rp := kmsg.NewFetchResponseTopicPartition()
		rp.HighWatermark, rp.LastStableOffset = end, end
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	b.same(b.mustRun("consume", "in", "--to", "end"), "v0\nv1\n")
}

func TestAfterEmptyBatches(t *testing.T) {
	t.Parallel()
	batch := func(base int64, last, count uint32) []byte {
		b := make([]byte, batchHeader+4)
		binary.BigEndian.PutUint64(b, uint64(base))
		binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-12))
		binary.BigEndian.PutUint32(b[lastOffsetDelta:], last)
		binary.BigEndian.PutUint32(b[recordCount:], count)
		return b
	}
	two := append(batch(10, 4, 0), batch(15, 2, 0)...)
	for _, c := range []struct {
		name string
		b    []byte
		want int64
	}{
		{"empty batches", two, 18},
		{"then one with records", append(two, batch(18, 0, 1)...), 18},
		{"records first", batch(10, 4, 2), 10},
		{"cut off", two[:70], 15},
		{"lies about its length", func() []byte { b := batch(10, 4, 0); b[batchLength] = 0xff; return b }(), 15},
		{"nothing", nil, 10},
	} {
		if got := afterEmpty(c.b, 10); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
