package wire

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// setQuota sets a quota of a client id, or with value 0 takes it away.
func setQuota(t *testing.T, b *broker.Broker, clientID, name string, value float64) {
	t.Helper()
	setQuotaOf(t, b, kafka.QuotaEntity{ClientID: kafka.QuotaOf(&clientID)}, name, value)
}

func setQuotaOf(t *testing.T, b *broker.Broker, e kafka.QuotaEntity, name string, value float64) {
	t.Helper()
	op := broker.QuotaOp{Name: name, Value: &value}
	if value == 0 {
		op.Value = nil
	}
	if err := b.AlterQuotas([]broker.QuotaEdit{{Entity: e, Ops: []broker.QuotaOp{op}}}, false)[e]; err != nil {
		t.Fatal(err)
	}
}

// sendAs sends a request with another client id.
func (c *client) sendAs(id string, req kmsg.Request, version int16) {
	c.t.Helper()
	req.SetVersion(version)
	c.write(kmsg.NewRequestFormatter(kmsg.FormatterClientID(id)).AppendRequest(nil, req, 7))
}

// askAs is ask with another client id.
func askAs[A kmsg.Response](c *client, id string, req kmsg.Request, version int16) A {
	c.t.Helper()
	c.sendAs(id, req, version)
	return receive[A](c, req)
}

// elapsed is how long fn took, by the clock of the bubble.
func elapsed(fn func()) time.Duration {
	began := time.Now()
	fn()
	return time.Since(began)
}

// A producer beyond its quota has its answers at once, with the time that it is to wait,
// and is not heard before that: it comes to its rate whatever it does. Nobody else waits.
func TestProduceQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		setQuota(t, b.broker, "slow", "producer_byte_rate", 1000)
		slow, other, sameConn := b.dial(), b.dial(), b.dial()
		req := produceTo("t", id, 1, b.batch(string(make([]byte, 4000))))
		size := len(kmsg.NewRequestFormatter(kmsg.FormatterClientID("slow")).AppendRequest(nil, req, 7)) - 4
		var sent, waits int
		began := time.Now()
		for range 50 {
			var resp *kmsg.ProduceResponse
			slow.sendAs("slow", req, 9)
			// Hearing it takes until it may be heard; answering takes nothing.
			if d := elapsed(func() { resp = receive[*kmsg.ProduceResponse](slow, req) }); d > time.Duration(waits)*time.Millisecond {
				t.Fatalf("answered after %v, it had to wait %d ms", d, waits)
			}
			mustCode(t, "produce", onePartition(t, resp).ErrorCode, nil)
			waits = int(resp.ThrottleMillis)
			sent += size
			if d := elapsed(func() { b.put(other, "t", "not slow") }); d != 0 {
				t.Errorf("another client id waits %v", d)
			}
			if got := b.srv.memory.used; got != 0 {
				t.Errorf("a client that is not heard holds %d bytes", got)
			}
		}
		took := time.Since(began) + time.Duration(waits)*time.Millisecond
		if rate := float64(sent) / took.Seconds(); rate < 900 || rate > 1100 {
			t.Errorf("%d bytes in %v", sent, took)
		}
		answers, wait := b.broker.Quotas.Throttled()
		if answers["producer_byte_rate"] < 30 || wait["producer_byte_rate"] < took-20*time.Second || answers["consumer_byte_rate"] != 0 {
			t.Errorf("counts %v, %v", answers, wait)
		}
		// The wait is the connection's, whoever speaks next on it; without the quota there is none.
		setQuota(t, b.broker, "slow", "producer_byte_rate", 0)
		if resp := askAs[*kmsg.ProduceResponse](sameConn, "slow", req, 9); resp.ThrottleMillis != 0 {
			t.Errorf("without a quota it waits %d ms", resp.ThrottleMillis)
		}
		if d := elapsed(slow.mustBeOpen); d != time.Duration(waits)*time.Millisecond {
			t.Errorf("the last wait took %v, not %d ms", d, waits)
		}
	})
}

// With acks=0 nobody is told, and the connection is not heard all the same.
func TestProduceQuotaWithoutAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		setQuotaOf(t, b.broker, kafka.QuotaEntity{User: kafka.QuotaOf(new("ANONYMOUS"))}, "producer_byte_rate", 100)
		c := b.dial()
		c.send(7, func() kmsg.Request {
			req := produceTo("t", id, 0, b.batch(string(make([]byte, 2000))))
			req.Version = 9
			return req
		}())
		synctest.Wait()
		if d := elapsed(c.mustBeOpen); d < 9*time.Second || d > 20*time.Second {
			t.Errorf("heard again after %v", d)
		}
	})
}

// A stop ends the wait at once.
func TestStopEndsMute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		setQuota(t, b.broker, "slow", "producer_byte_rate", 1)
		for _, sends := range []bool{false, true} {
			c := b.dial()
			if resp := askAs[*kmsg.ProduceResponse](c, "slow", produceTo("t", id, 1, b.batch("x")), 9); resp.ThrottleMillis < 10_000 && sends {
				t.Errorf("waits %d ms", resp.ThrottleMillis)
			}
			if sends { // a request that has come and is not looked at
				c.send(7, apiVersionsRequest(3))
			}
		}
		synctest.Wait()
		if d := elapsed(func() {
			if err := b.srv.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}); d != 0 {
			t.Errorf("stopping took %v", d)
		}
	})
}

// A consumer beyond its quota gets an empty answer with the time that it is to wait, the
// records after that; its session is as it was.
func TestFetchQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		w, c, other := b.dial(), b.dial(), b.dial()
		for range 40 {
			b.put(w, "t", string(make([]byte, 1000)))
		}
		setQuota(t, b.broker, "slow", "consumer_byte_rate", 500)
		req := fetchFrom("t", id, 0)
		req.SessionEpoch = 0
		var offset int64
		var got, empty int
		began := time.Now()
		for offset < 40 {
			req.Version = 13
			if len(req.Topics) > 0 {
				req.Topics[0].Partitions[0].FetchOffset = offset
			}
			resp := askAs[*kmsg.FetchResponse](c, "slow", req, 13)
			mustCode(t, "fetch", resp.ErrorCode, nil)
			if len(resp.Topics) == 0 {
				if resp.ThrottleMillis == 0 {
					t.Fatalf("at offset %d: nothing, and no time to wait", offset)
				}
				empty++
				if resp.SessionID != req.SessionID {
					t.Fatalf("session %d became %d", req.SessionID, resp.SessionID)
				}
			} else {
				n := len(oneFetched(t, resp).RecordBatches)
				if n > 5000 && offset > 0 {
					t.Errorf("%d bytes at once, where ten samples of 500 are allowed", n)
				}
				got += n
				offset += int64(n / len(b.batch(string(make([]byte, 1000)))))
			}
			if resp.SessionID != 0 {
				req.SessionID, req.SessionEpoch = resp.SessionID, req.SessionEpoch+1
			}
			var quick *kmsg.FetchResponse
			if d := elapsed(func() { quick = ask[*kmsg.FetchResponse](other, fetchFrom("t", id, 0), 13) }); d != 0 || quick.ThrottleMillis != 0 {
				t.Errorf("another client id waits %v, and is told %d ms", d, quick.ThrottleMillis)
			}
		}
		// The first ten samples' worth is there at once: nothing was fetched before.
		if rate := float64(got-5000) / time.Since(began).Seconds(); empty == 0 || rate > 550 {
			t.Errorf("%d bytes in %v, %d empty answers", got, time.Since(began), empty)
		}
		// One batch that is larger than all the quota allows does come, and is waited for then.
		setQuota(t, b.broker, "tiny", "consumer_byte_rate", 10)
		if resp := askAs[*kmsg.FetchResponse](b.dial(), "tiny", fetchFrom("t", id, 0), 13); resp.ThrottleMillis < 60_000 || len(oneFetched(t, resp).RecordBatches) < 1000 {
			t.Errorf("a large batch: %d ms, %+v", resp.ThrottleMillis, resp)
		}
	})
}

// The records of a share fetch are the member's already: it has them, and waits then.
func TestShareFetchQuota(t *testing.T) {
	b := newShareWire(t, nil)
	setQuota(t, b.broker, "test", "consumer_byte_rate", 5)
	res := b.shareReader("a").fetch(10, nil)
	if o, _ := got(res); len(o) != 10 || res.ThrottleMillis < 1000 {
		t.Errorf("%d records, waits %d ms", len(o), res.ThrottleMillis)
	}
}

// request_percentage is about the time that the broker spends on a client, whatever it
// asks for; one sample is the longest wait.
func TestRequestQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		br, err := broker.Open(broker.Config{FS: vfs.NewMem(), Dir: "/data"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(br.Abandon)
		b := newBench(t, Config{Broker: br}, map[int16]handler{16: func(_ *api, _ *Request, req kmsg.Request) Reply {
			time.Sleep(100 * time.Millisecond) // hard work, by the clock of the bubble
			return answer(req.ResponseKind())
		}})
		setQuotaOf(t, br, kafka.QuotaEntity{User: kafka.QuotaOf(nil), ClientID: kafka.QuotaOf(new("busy"))}, "request_percentage", 5)
		busy, other := b.dial(), b.dial()
		const n = 60
		took := elapsed(func() {
			for range n {
				resp := askAs[*kmsg.ListGroupsResponse](busy, "busy", kmsg.NewPtrListGroupsRequest(), 3)
				if resp.ThrottleMillis < 0 || resp.ThrottleMillis > 1000 {
					t.Fatalf("waits %d ms", resp.ThrottleMillis)
				}
				if resp := ask[*kmsg.ListGroupsResponse](other, kmsg.NewPtrListGroupsRequest(), 3); resp.ThrottleMillis != 0 {
					t.Fatalf("another client id waits %d ms", resp.ThrottleMillis)
				}
			}
		})
		// 5% of the first ten seconds are five requests; the others wait a second each or more.
		if took < (n-10)*time.Second {
			t.Errorf("%d requests of 100 ms took %v", n, took)
		}
		resp := askAs[*kmsg.ApiVersionsResponse](busy, "busy", apiVersionsRequest(2), 2)
		if resp.ThrottleMillis == 0 {
			t.Error("another request of a busy client does not wait")
		}
	})
}

// controller_mutation_rate: newer versions are refused by topic, older ones wait.
func TestMutationQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newAdminBench(t, map[string]string{"controller.quota.window.num": "2", "num.partitions": "3"})
		setQuota(t, b.broker, "test", "controller_mutation_rate", 1) // two partitions at once, and one may go beyond
		c := b.dial()
		resp := ask[*kmsg.CreateTopicsResponse](c, newTopicRequest("a", "b", "bad name", "c"), 6)
		want := map[string]string{
			"a": "ok", "b": "THROTTLING_QUOTA_EXCEEDED: The throttling quota has been exceeded.",
			"c": "THROTTLING_QUOTA_EXCEEDED: The throttling quota has been exceeded.",
		}
		for _, rt := range resp.Topics {
			if got := says(rt.ErrorCode, rt.ErrorMessage); want[rt.Topic] != "" && got != want[rt.Topic] || rt.Topic == "bad name" && got[:13] != "INVALID_TOPIC" {
				t.Errorf("%s: %s", rt.Topic, got)
			}
		}
		if resp.ThrottleMillis != 1000 || b.broker.Catalog.Snapshot().Topic("b") != nil {
			t.Errorf("waits %d ms, b is there: %t", resp.ThrottleMillis, b.broker.Catalog.Snapshot().Topic("b") != nil)
		}
		// The client is not heard for that second, and then has nothing left.
		dry := newTopicRequest("d")
		dry.ValidateOnly = true
		if d := elapsed(func() { resp = ask[*kmsg.CreateTopicsResponse](c, dry, 7) }); d != time.Second || resp.Topics[0].ErrorCode != 0 {
			t.Errorf("after %v: %+v", d, resp.Topics)
		}
		more := kmsg.NewPtrCreatePartitionsRequest()
		rt := kmsg.NewCreatePartitionsRequestTopic()
		rt.Topic, rt.Count = "a", 5
		more.Topics = append(more.Topics, rt)
		if resp := ask[*kmsg.CreatePartitionsResponse](c, more, 3); resp.ThrottleMillis != 3000 || says(resp.Topics[0].ErrorCode, nil) != "THROTTLING_QUOTA_EXCEEDED" {
			t.Errorf("create partitions v3: %+v", resp)
		}
		if resp := ask[*kmsg.CreatePartitionsResponse](c, more, 2); resp.ThrottleMillis != 2000 || resp.Topics[0].ErrorCode != 0 {
			t.Errorf("create partitions v2: %+v", resp)
		}
		drop := kmsg.NewPtrDeleteTopicsRequest()
		drop.TopicNames = []string{"a"}
		c2 := b.dial()
		if resp := ask[*kmsg.DeleteTopicsResponse](c2, drop, 5); resp.ThrottleMillis != 2000 || says(resp.Topics[0].ErrorCode, nil) != "THROTTLING_QUOTA_EXCEEDED" {
			t.Errorf("delete topics v5: %+v", resp)
		}
		if resp := ask[*kmsg.DeleteTopicsResponse](c2, drop, 4); resp.ThrottleMillis != 5000 || resp.Topics[0].ErrorCode != 0 {
			t.Errorf("delete topics v4: %+v", resp)
		}
		// A topic that would be made by being asked for is not, yet.
		m := kmsg.NewPtrMetadataRequest()
		mt := kmsg.NewMetadataRequestTopic()
		mt.Topic = new("auto")
		m.Topics, m.AllowAutoTopicCreation = append(m.Topics, mt), true
		if resp := ask[*kmsg.MetadataResponse](b.dial(), m, 9); says(resp.Topics[0].ErrorCode, nil) != "UNKNOWN_TOPIC_OR_PARTITION" {
			t.Errorf("auto creation: %+v", resp.Topics)
		}
		if resp := askAs[*kmsg.CreateTopicsResponse](b.dial(), "other", newTopicRequest("e"), 7); resp.ThrottleMillis != 0 || resp.Topics[0].ErrorCode != 0 {
			t.Errorf("another client id: %+v", resp)
		}
	})
}

// fromHost makes connections of a Memory listener look as if they came over the network.
type fromHost struct {
	*Memory
	host string
}

type hostConn struct {
	net.Conn
	host string
}

func (c hostConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.host), Port: 4711} }

func (l *fromHost) Accept() (net.Conn, error) {
	nc, err := l.Memory.Accept()
	if err != nil {
		return nil, err
	}
	return hostConn{nc, l.host}, nil
}

// connection_creation_rate: who connects too often is kept waiting and then closed; others,
// and what is open already, are served.
func TestConnectionQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		br, err := broker.Open(broker.Config{FS: vfs.NewMem(), Dir: "/data", Static: map[string]string{"quota.window.num": "3"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(br.Abandon)
		near, far := &fromHost{NewMemory(), "10.0.0.1"}, &fromHost{NewMemory(), "10.0.0.2"}
		srv, err := NewServer(Config{Broker: br, Listeners: []*Listener{{Name: "NEAR", Net: near}, {Name: "FAR", Net: far}}})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		setQuotaOf(t, br, kafka.QuotaEntity{IP: kafka.QuotaOf(new("10.0.0.1"))}, "connection_creation_rate", 1)
		dial := func(l *fromHost) *client {
			nc, err := l.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			return &client{t, nc}
		}
		first, second := dial(near), dial(near)
		first.mustBeOpen()
		second.mustBeOpen()
		third := dial(near)
		if d := elapsed(third.mustBeClosed); d < 100*time.Millisecond || d > time.Second {
			t.Errorf("closed after %v", d)
		}
		for range 10 {
			dial(far).mustBeOpen()
		}
		first.mustBeOpen()
		if n := br.Quotas.Rejected(); n != 1 || srv.Connections() != 12 {
			t.Errorf("%d connections rejected, %d open", n, srv.Connections())
		}
		time.Sleep(3 * time.Second)
		dial(near).mustBeOpen()
		// One that waits does not hold up a stop.
		dial(near).mustBeOpen()
		waits := dial(near)
		if d := elapsed(func() {
			if err := srv.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			waits.mustBeClosed()
		}); d != 0 {
			t.Errorf("stopping took %v", d)
		}
	})
}

// Quotas are on disk when they are answered.
func TestQuotasSurviveKill(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 1)
	setQuota(t, b.broker, "slow", "producer_byte_rate", 1)
	setQuota(t, b.broker, "gone", "producer_byte_rate", 1)
	setQuota(t, b.broker, "gone", "producer_byte_rate", 0)
	b.kill()
	batch := b.batch(string(make([]byte, 100)))
	if resp := askAs[*kmsg.ProduceResponse](b.dial(), "slow", produceTo("t", id, 1, batch), 9); resp.ThrottleMillis < 1000 {
		t.Errorf("after a kill it waits %d ms", resp.ThrottleMillis)
	}
	if resp := askAs[*kmsg.ProduceResponse](b.dial(), "gone", produceTo("t", id, 1, batch), 9); resp.ThrottleMillis != 0 {
		t.Errorf("a quota that was removed: it waits %d ms", resp.ThrottleMillis)
	}
	b.disk.Add(vfs.Rule{Op: vfs.OpSync, Err: syscall.EIO})
	e := kafka.QuotaEntity{User: kafka.QuotaOf(nil)}
	value := 5.0
	if err := b.broker.AlterQuotas([]broker.QuotaEdit{{Entity: e, Ops: []broker.QuotaOp{{Name: "request_percentage", Value: &value}}}}, false)[e]; kafka.ErrorCode(err) != kerr.KafkaStorageError {
		t.Errorf("on a disk that fails: %v", err)
	}
	if got := b.broker.Catalog.Snapshot().QuotasOf(e); got != nil {
		t.Errorf("what is not on disk is seen: %v", got)
	}
}

// Without quotas a request costs nothing for them but looking whether there are any.
func TestNoQuotasNoAllocations(t *testing.T) {
	b := newAdminBench(t, nil)
	q := newQueue(1, 1)
	c := &conn{srv: b.srv, q: q}
	resp := kmsg.NewPtrProduceResponse()
	s := slot{reply: answer(resp).p}
	if n := testing.AllocsPerRun(100, func() {
		if b.broker.Quotas.Of(Anonymous, "client") != nil || b.broker.Quotas.Connect("10.0.0.1") != 0 || !q.waitForVoice() {
			t.Error("there are quotas")
		}
		c.settle(&s)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	setQuotaOf(t, b.broker, kafka.QuotaEntity{IP: kafka.QuotaOf(nil)}, "connection_creation_rate", 10)
	if b.broker.Quotas.Of(Anonymous, "client") != nil {
		t.Error("a quota of addresses costs requests something")
	}
}
