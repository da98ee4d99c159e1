package wire

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// waiting is a fetch that waits a minute for n bytes.
func waiting(topic string, id kafka.UUID, offset int64, n int) *kmsg.FetchRequest {
	req := fetchFrom(topic, id, offset)
	req.Version, req.MaxWaitMillis, req.MinBytes = 13, 60_000, int32(n)
	return req
}

// answered receives in the background; after synctest.Wait the channel tells
// whether the answer is there.
func answered(c *client, req *kmsg.FetchRequest) <-chan *kmsg.FetchResponse {
	got := make(chan *kmsg.FetchResponse, 1)
	go func() { got <- receive[*kmsg.FetchResponse](c, req) }()
	return got
}

func mustWait(t *testing.T, what string, got <-chan *kmsg.FetchResponse) {
	t.Helper()
	synctest.Wait()
	if len(got) != 0 {
		t.Errorf("%s: answered: %+v", what, <-got)
	}
}

// at once receives an answer that must be there without the clock moving.
func atOnce(t *testing.T, what string, got <-chan *kmsg.FetchResponse) *kmsg.FetchResponse {
	t.Helper()
	synctest.Wait()
	select {
	case resp := <-got:
		return resp
	default:
		t.Fatalf("%s: not answered", what)
		return nil
	}
}

// min_bytes and max_wait: a fetch waits for so many bytes over its partitions, is
// woken by what comes, and answers with what there is when the time is up.
func TestFetchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 2)
		reader, writer := b.dial(), b.dial()
		n := len(b.batch("0123456789"))
		req := waiting("t", id, 0, 3*n)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPartition(1, 0))
		reader.send(7, req)
		got := answered(reader, req)
		mustWait(t, "nothing there", got)
		b.put(writer, "t", "0123456789")
		mustWait(t, "one batch", got)
		mustCode(t, "two more", ask[*kmsg.ProduceResponse](writer, produceTo("t", id, 1, b.batch("0123456789"), b.batch("0123456789")), 9).Topics[0].Partitions[0].ErrorCode, nil)
		resp := atOnce(t, "three batches", got)
		if a, b := len(resp.Topics[0].Partitions[0].RecordBatches), len(resp.Topics[0].Partitions[1].RecordBatches); a != 2*n || b != n {
			t.Errorf("%d and %d bytes, batches have %d", a, b, n)
		}
		// The time is up: whatever there is.
		began := time.Now()
		reader.send(7, req)
		req.MinBytes = 1 << 19
		reader.send(8, req)
		atOnce(t, "enough at once", answered(reader, req))
		corr, _ := reader.recv()
		if d := time.Since(began); corr != 8 || d < 60*time.Second || d > 61*time.Second {
			t.Errorf("answer %d after %v", corr, d)
		}
		// Nothing can ever be more than max_bytes.
		req.MaxBytes = int32(2 * n)
		reader.send(7, req)
		atOnce(t, "max_bytes", answered(reader, req))
		for _, free := range []func(){func() { req.MinBytes = 0 }, func() { req.MinBytes, req.MaxWaitMillis = 1<<20, 0 }, func() { req.MaxWaitMillis = -5 }} {
			free()
			reader.send(7, req)
			atOnce(t, "does not want to wait", answered(reader, req))
		}
		// Nothing is asked for.
		none := waiting("t", id, 0, 1)
		none.Topics = nil
		reader.send(7, none)
		atOnce(t, "nothing", answered(reader, none))
	})
}

// A fetch that waits is woken by DeleteRecords that take its offset away, by the
// deletion of its topic, and by the server's stop.
func TestFetchIsWoken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		other := b.topic("other", 1)
		reader, admin := b.dial(), b.dial()
		b.put(admin, "t", "a", "b", "c")

		req := waiting("t", id, 1, 1<<19)
		reader.send(7, req)
		got := answered(reader, req)
		mustWait(t, "delete below", got)
		ask[*kmsg.DeleteRecordsResponse](admin, deleteTo("t", 1), 2)
		mustWait(t, "delete up to it", got)
		ask[*kmsg.DeleteRecordsResponse](admin, deleteTo("t", 2), 2)
		mustCode(t, "delete beyond", oneFetched(t, atOnce(t, "delete beyond", got)).ErrorCode, kerr.OffsetOutOfRange)

		for range 20 { // the wake-up must not come before the topic is gone
			req = waiting("t", id, 3, 1)
			req.Topics = append(req.Topics, fetchFrom("other", other, 0).Topics...)
			reader.send(7, req)
			got = answered(reader, req)
			mustWait(t, "deletion", got)
			del := kmsg.NewPtrDeleteTopicsRequest()
			rt := kmsg.NewDeleteTopicsRequestTopic()
			rt.Topic = kmsg.StringPtr("t")
			del.Topics = append(del.Topics, rt)
			mustCode(t, "delete", ask[*kmsg.DeleteTopicsResponse](admin, del, 6).Topics[0].ErrorCode, nil)
			mustCode(t, "gone", atOnce(t, "deletion", got).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
			id = b.topic("t", 1)
			b.put(admin, "t", "a", "b", "c")
		}

		req = waiting("t", id, 3, 1)
		reader.send(7, req)
		got = answered(reader, req)
		mustWait(t, "stop", got)
		began := time.Now()
		if err := b.srv.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if oneFetched(t, <-got).ErrorCode != 0 || time.Since(began) > time.Second {
			t.Errorf("after %v", time.Since(began))
		}
	})
}

// A topic that is not there does not cut the wait for others short, or a client
// that goes on asking for it would spin; alone it is said at once. As in Kafka.
func TestFetchUnknownTopicBesideOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		reader, writer := b.dial(), b.dial()
		req := waiting("none", kafka.UUID{9}, 0, 1)
		reader.send(7, req)
		mustCode(t, "alone", oneFetched(t, atOnce(t, "alone", answered(reader, req))).ErrorCode, kerr.UnknownTopicID)
		req.Topics = append(req.Topics, fetchFrom("t", id, 0).Topics...)
		reader.send(7, req)
		got := answered(reader, req)
		mustWait(t, "beside another", got)
		b.put(writer, "t", "a")
		resp := atOnce(t, "woken", got)
		if len(resp.Topics) != 2 || resp.Topics[0].Partitions[0].ErrorCode != kerr.UnknownTopicID.Code || len(offsets(t, resp.Topics[1].Partitions[0].RecordBatches)) != 1 {
			t.Errorf("%+v", resp)
		}
		// Other errors are said at once.
		req.Topics[1].Partitions[0].FetchOffset = 77
		reader.send(7, req)
		mustCode(t, "out of range", atOnce(t, "out of range", answered(reader, req)).Topics[1].Partitions[0].ErrorCode, kerr.OffsetOutOfRange)
	})
}

// A parked fetch holds back later answers of its connection, never later appends;
// its answer comes first. The fetch may even wait for the append behind it.
func TestParkedFetchDoesNotBlockAppends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		elsewhere := b.topic("elsewhere", 1)
		c, watcher := b.dial(), b.dial()
		parked := waiting("t", id, 0, 1)
		c.send(1, parked)
		c.send(2, versioned(produceTo("elsewhere", elsewhere, -1, b.batch("a"))))
		synctest.Wait()
		if got := end(watcher, "elsewhere"); got != 1 {
			t.Errorf("the append behind a parked fetch: %d", got)
		}
		c.send(3, versioned(produceTo("t", id, -1, b.batch("b"))))
		for want := int32(1); want <= 3; want++ {
			if corr, _ := c.recv(); corr != want {
				t.Errorf("answer %d, want %d", corr, want)
			}
		}
	})
}
