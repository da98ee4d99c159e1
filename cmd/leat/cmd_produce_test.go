package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// all reads every record of a topic, one a line.
func (b *bench) all(topic string) string {
	b.t.Helper()
	return b.mustRun("consume", topic, "--to", "end", "-f", `%k|%v|%h`)
}

func TestProduceLines(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.stdin = "one\n\nthree, without a newline"
	b.same(b.mustRun("produce", "in", "-k", "k", "-H", "a=1", "-H", "b=x=y"), "3 records produced\n")
	b.same(b.all("in"), "k|one|a=1,b=x=y\nk||a=1,b=x=y\nk|three, without a newline|a=1,b=x=y\n")
	b.stdin = ""
	b.same(b.mustRun("produce", "in", "-o", "json"), "{\n  \"produced\": 0,\n  \"failed\": 0\n}\n")
}

func TestProduceLongLine(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.stdin = strings.Repeat("x", 300_000) + "\nshort\n"
	b.same(b.mustRun("produce", "in", "-p", "1"), "2 records produced\n")
	b.same(b.mustRun("consume", "in", "--to", "end", "-f", "%p %V"), "1 300000\n1 5\n")
}

func TestProduceLayout(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.stdin = "k1\tv1\nk2\t\n"
	b.mustRun("produce", "in", "-f", `%k\t%v\n`, "-Z", "-p", "0")
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(b.mustRun("consume", "in", "--to", "end", "-o", "json")), "\n") {
		var j jsonRecord
		b.decode(line, &j)
		v := "null"
		if j.Payload != nil {
			v = *j.Payload
		}
		got = append(got, *j.Key+"="+v)
	}
	b.same(strings.Join(got, " "), "k1=v1 k2=null")
}

func TestProduceAcksAndCompression(t *testing.T) {
	t.Parallel()
	for _, acks := range []string{"all", "1", "0"} {
		for codec := range compressions {
			t.Run(acks+"/"+codec, func(t *testing.T) {
				t.Parallel()
				b := setup(t, "in")
				b.stdin = strings.Repeat("same same same\n", 50)
				b.same(b.mustRun("produce", "in", "--acks", acks, "-z", codec, "-p", "0"), "50 records produced\n")
				if acks == "0" {
					return // nobody says when they are there
				}
				got := strings.Fields(b.mustRun("consume", "in", "--to", "end", "-f", "%a{compression}"))
				if len(got) != 50 || got[0] != codec {
					t.Errorf("%d records, compression %q", len(got), got[0])
				}
			})
		}
	}
}

// Records that cannot be read or are refused are counted, told with their
// number, and cost the others nothing.
func TestProduceCountsFailures(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	b.stdin = strings.Join([]string{
		`{"topic":"in","key":"a","payload":"1"}`,
		`{"topic":"in","key":`,
		`{"key":"b","payload":"no topic"}`,
		`{"topic":"in","headers":["odd"],"payload":"x"}`,
		`{"topic":"in","payload":"x"} {"topic":"in"}`,
		`{"topic":"in","partition":9,"payload":"no such partition"}`,
		``,
		`{"topic":"in","key":"c","payload":"2","headers":["h","v","n",null]}`,
	}, "\n")
	r := b.run("produce", "-f", "json", "-o", "json")
	if r.code != 1 {
		t.Errorf("exit %d", r.code)
	}
	b.same(r.out, "{\n  \"produced\": 2,\n  \"failed\": 5\n}\n")
	for _, want := range []string{"record 2: not a record in JSON", "record 3: it names no topic", "record 4: headers: want names and values",
		"record 5: more than one record", "record 6: ", "error: 5 of 7 records failed"} {
		b.contains(r.err, want)
	}
	got := b.all("in")
	if !strings.Contains(got, "a|1|\n") || !strings.Contains(got, "c|2|h=v,n=\n") || strings.Count(got, "\n") != 2 {
		t.Errorf("in the topic: %q", got)
	}
}

// refusing is a cluster that answers every batch with an error.
func refusing(t *testing.T, err *kerr.Error) *bench {
	t.Helper()
	c, cerr := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if cerr != nil {
		t.Fatal(cerr)
	}
	t.Cleanup(c.Close)
	c.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, err.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	return &bench{t: t, addr: c.ListenAddrs()[0]}
}

func TestProduceRefusedByTheBroker(t *testing.T) {
	t.Parallel()
	b := refusing(t, kerr.TopicAuthorizationFailed)
	b.stdin = strings.Repeat("x\n", 25)
	r := b.run("produce", "in")
	if r.code != 1 || strings.Count(r.err, "TOPIC_AUTHORIZATION_FAILED") != shown {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	b.same(r.out, "0 records produced\n")
	b.contains(r.err, "error: 25 of 25 records failed")
}

// A broker whose disk is full says so for as long as it is: nobody waits for ever.
func TestProduceToAFullDiskEnds(t *testing.T) {
	t.Parallel()
	b := refusing(t, kerr.KafkaStorageError)
	b.stdin = "x\n"
	r := b.run("produce", "in", "--timeout", "1s")
	if r.code != 1 {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	b.same(r.out, "0 records produced\n")
	b.contains(r.err, "error: 1 of 1 records failed")
}

func TestProduceUsage(t *testing.T) {
	t.Parallel()
	b := setup(t, "in")
	for _, args := range []string{"produce", "produce in --acks 2", "produce in -z brotli", "produce in -H novalue", "produce in -f %q", "produce in --timeout 1ms"} {
		if r := b.run(strings.Fields(args)...); r.code != 2 {
			t.Errorf("leat %s: exit %d, %s", args, r.code, r.err)
		}
	}
}

// What consume -o json writes, produce -f json reads back, bytes that are no
// text included.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := setup(t, "in", "copy")
	b.produce(
		&kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte("plain <&> \"text\" \u2028 \x00")},
		&kgo.Record{Topic: "in", Key: []byte{0xff, 0xfe}, Value: []byte{0x80, 0, 1}},
		&kgo.Record{Topic: "in", Partition: 1, Key: nil, Value: nil},
		&kgo.Record{Topic: "in", Partition: 1, Key: []byte{}, Value: []byte{}},
		&kgo.Record{Topic: "in", Partition: 1, Value: []byte("h"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "", Value: []byte{}}}},
		&kgo.Record{Topic: "in", Partition: 1, Value: []byte("hb"), Headers: []kgo.RecordHeader{{Key: "bin", Value: []byte{0xc3}}, {Key: "nil", Value: nil}, {Key: "txt", Value: []byte("t")}}},
	)
	b.stdin = b.mustRun("consume", "in", "--to", "end", "-o", "json")
	if n := strings.Count(b.stdin, "\n"); n != 6 {
		t.Fatalf("%d lines, want 6:\n%s", n, b.stdin)
	}
	b.same(b.mustRun("produce", "copy", "-f", "json"), "6 records produced\n")
	read := func(topic string) (out []string) {
		cl := b.client(kgo.ConsumeTopics(topic))
		for len(out) < 6 {
			for _, r := range cl.PollFetches(t.Context()).Records() {
				out = append(out, fmt.Sprintf("%d/%d %d key %#v value %#v headers %#v", r.Partition, r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, r.Headers))
			}
		}
		return out
	}
	in, copied := read("in"), read("copy")
	byPlace := func(s []string) map[string]bool {
		m := map[string]bool{}
		for _, x := range s {
			m[x] = true
		}
		return m
	}
	want := byPlace(in)
	for x := range byPlace(copied) {
		if !want[x] {
			t.Errorf("copied as\n%s\nof\n%s", x, strings.Join(in, "\n"))
		}
	}
}
