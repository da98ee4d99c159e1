package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func setup(t *testing.T) (*kfake.Cluster, Config) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, Config{
		Dial: func(_ context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...))...)
		},
		Topic: "bench", Partitions: 3, Size: 100, Producers: 1,
	}
}

// in counts the records that are really in the topic.
func in(t *testing.T, c Config) int64 {
	t.Helper()
	cl, err := c.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	n, err := recordsIn(t.Context(), kadm.NewClient(cl), c.Topic)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestProduceCounts(t *testing.T) {
	t.Parallel()
	for _, sync := range []bool{false, true} {
		for _, producers := range []int{1, 4} {
			t.Run(fmt.Sprintf("sync=%v producers=%d", sync, producers), func(t *testing.T) {
				t.Parallel()
				_, c := setup(t)
				c.Records, c.Sync, c.Producers, c.ServerPID = 1001, sync, producers, os.Getpid()
				r, err := Produce(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if n := in(t, c); r.Records != 1001 || r.Failed != 0 || r.Bytes != 100100 || n != 1001 {
					t.Errorf("%+v; %d in the topic", r, n)
				}
				if r.AckLatency == nil || r.AckLatency.Count != 1001 || r.AckLatency.P50 > r.AckLatency.P999 || r.RecordsPerSecond <= 0 {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// What is sent in the warm-up is in the topic and not in the result.
func TestProduceForATime(t *testing.T) {
	t.Parallel()
	_, c := setup(t)
	c.Warmup, c.Duration, c.Sync = 30*time.Millisecond, 50*time.Millisecond, true
	r, err := Produce(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if n := in(t, c); r.Records == 0 || r.Records >= n || uint64(r.Records) != r.AckLatency.Count {
		t.Errorf("%+v; %d in the topic", r, n)
	}
}

func TestProduceFailures(t *testing.T) {
	t.Parallel()
	cluster, c := setup(t)
	cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	c.Records = 50
	r, err := Produce(t.Context(), c)
	if err != nil || r.Records != 0 || r.Failed != 50 || !strings.Contains(r.Error, "TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConsumeCounts(t *testing.T) {
	t.Parallel()
	_, c := setup(t)
	c.Records = 2000
	if _, err := Produce(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{0, 777} {
		c.Records = want
		r, err := Consume(t.Context(), c)
		if want == 0 {
			want = 2000
		}
		if err != nil || r.Records != want || r.Bytes != want*100 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	c.Records = 2001
	if _, err := Consume(t.Context(), c); err == nil || !strings.Contains(err.Error(), "leat bench produce --topic bench -n ") {
		t.Errorf("too few records: %v", err)
	}
	c.Topic, c.Records = "nowhere", 0
	if _, err := Consume(t.Context(), c); err == nil || !strings.Contains(err.Error(), "topic nowhere") {
		t.Errorf("no topic: %v", err)
	}
}

// Every record that is acknowledged is read back, and no other run's.
func TestLatencyCounts(t *testing.T) {
	t.Parallel()
	_, c := setup(t)
	c.Records = 10
	if _, err := Produce(t.Context(), c); err != nil { // records of somebody else
		t.Fatal(err)
	}
	c.Rate, c.Warmup, c.Duration = 1000, 20*time.Millisecond, 100*time.Millisecond
	for range 2 {
		r, err := Latency(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Records == 0 || r.AckLatency.Count != uint64(r.Records) || r.EndToEnd.Count != uint64(r.Records) {
			t.Errorf("%d records, ack %+v, end to end %+v", r.Records, r.AckLatency, r.EndToEnd)
		}
	}
	c.Rate = 0
	if _, err := Latency(t.Context(), c); err == nil {
		t.Error("rate 0 is taken")
	}
}

// A send that stalls does not move the times of the later ones: their latency
// counts from when they were due. In fake time, so exact.
func TestPaceIsOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		var late []time.Duration
		pace(ctx, began, 100, func(i int64, due time.Time) {
			if want := began.Add(time.Duration(i) * 10 * time.Millisecond); !due.Equal(want) {
				t.Errorf("record %d is due %v after the beginning, want %v", i, due.Sub(began), want.Sub(began))
			}
			late = append(late, time.Since(due))
			switch i {
			case 3:
				<-time.After(35 * time.Millisecond) // the broker stalls
			case 8:
				cancel()
			}
		})
		want := []time.Duration{0, 0, 0, 0, 25e6, 15e6, 5e6, 0, 0}
		if fmt.Sprint(late) != fmt.Sprint(want) {
			t.Errorf("late by %v, want %v", late, want)
		}
	})
}

func TestParseUsage(t *testing.T) {
	t.Parallel()
	stat := []byte("42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 1 2 3\n")
	status := []byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t9\n")
	u, err := parseUsage(42, stat, status)
	if want := (Usage{PID: 42, CPUSeconds: 2, RSSBytes: 1 << 20, PeakRSSBytes: 2 << 20}); err != nil || u != want {
		t.Errorf("%+v, %v", u, err)
	}
	for _, bad := range []string{"", "42 (x) S 1 2", "42 (x) S 1 42 42 0 -1 4194560 1 0 0 0 x 50 0"} {
		if u, err := parseUsage(42, []byte(bad), nil); err == nil {
			t.Errorf("%q is read as %+v", bad, u)
		}
	}
	if _, err := ReadUsage(1 << 30); err == nil {
		t.Error("a process that is not there has no usage")
	}
}

func TestValuesDiffer(t *testing.T) {
	t.Parallel()
	v := newValues(1000)
	if bytes.Equal(v.at(1), v.at(2)) || len(v.at(1<<40)) != 1000 {
		t.Error("values")
	}
}
