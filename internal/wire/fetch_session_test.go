package wire

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// fetchClient is a client with a fetch session.
type fetchClient struct {
	*client
	version int16
	id      int32
	epoch   int32
}

// ask sends a request of the session and says what the answer names:
// "topic/partition code records" each.
func (f *fetchClient) ask(req *kmsg.FetchRequest) (told []string, code int16) {
	f.t.Helper()
	req.SessionID, req.SessionEpoch = f.id, f.epoch
	resp := ask[*kmsg.FetchResponse](f.client, req, f.version)
	if f.epoch == 0 {
		f.id = resp.SessionID
	}
	f.epoch++
	for _, t := range resp.Topics {
		what := t.Topic
		if f.version >= 13 {
			what = string(t.TopicID[:1])
		}
		for _, p := range t.Partitions {
			told = append(told, fmt.Sprintf("%s/%d %s %d", what, p.Partition, name(p.ErrorCode), len(offsets(f.t, p.RecordBatches))))
		}
	}
	return told, resp.ErrorCode
}

func (f *fetchClient) mustTell(what string, req *kmsg.FetchRequest, want ...string) {
	f.t.Helper()
	told, code := f.ask(req)
	if code != 0 || !slices.Equal(told, want) {
		f.t.Errorf("v%d, %s: %s, told %q, want %q", f.version, what, name(code), told, want)
	}
}

// asking is a fetch of partitions of t, as "partition:offset"; forgetting some.
func asking(id kafka.UUID, parts map[int32]int64, forget ...int32) *kmsg.FetchRequest {
	req := fetchFrom("t", id, 0)
	req.Topics[0].Partitions = nil
	for p := range int32(10) {
		if offset, ok := parts[p]; ok {
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPartition(p, offset))
		}
	}
	if len(parts) == 0 {
		req.Topics = nil
	}
	if len(forget) > 0 {
		ft := kmsg.NewFetchRequestForgottenTopic()
		ft.Topic, ft.TopicID, ft.Partitions = "t", id, forget
		req.ForgottenTopics = append(req.ForgottenTopics, ft)
	}
	return req
}

// Incremental fetches (KIP-227): the broker remembers what is read, and tells only
// what has changed.
func TestFetchSession(t *testing.T) {
	t.Parallel()
	for _, version := range []int16{7, 12, 13, 18} {
		b := newDataBench(t, nil)
		id := b.topic("t", 3)
		writer := b.dial()
		put := func(values ...string) { b.put(writer, "t", values...) }
		put("a")
		topic := "t"
		if version >= 13 {
			topic = string(id[:1])
		}
		say := func(p int, rest string) string { return fmt.Sprintf("%s/%d %s", topic, p, rest) }
		f := &fetchClient{client: b.dial(), version: version}
		f.mustTell("the first answer names all", asking(id, map[int32]int64{0: 0, 1: 0}), say(0, "ok 1"), say(1, "ok 0"))
		if f.id <= 0 {
			t.Fatalf("session id %d", f.id)
		}
		f.mustTell("still there, not read yet", asking(id, nil), say(0, "ok 1"))
		f.mustTell("read", asking(id, map[int32]int64{0: 1}))
		f.mustTell("nothing new", asking(id, nil))
		put("b", "c")
		f.mustTell("new records", asking(id, nil), say(0, "ok 2"))
		f.mustTell("one more partition", asking(id, map[int32]int64{0: 3, 2: 0}), say(2, "ok 0"))
		ask[*kmsg.DeleteRecordsResponse](writer, deleteTo("t", 2), 2)
		f.mustTell("the log start has moved", asking(id, nil), say(0, "ok 0"))
		f.mustTell("and that was told", asking(id, nil))
		f.mustTell("an error", asking(id, map[int32]int64{1: 9}), say(1, "OFFSET_OUT_OF_RANGE 0"))
		f.mustTell("as long as it lasts", asking(id, nil), say(1, "OFFSET_OUT_OF_RANGE 0"))
		f.mustTell("and that it is over", asking(id, map[int32]int64{1: 0}), say(1, "ok 0"))
		put("d")
		f.mustTell("forgotten", asking(id, nil, 0))
		// The epoch counts the requests; a wrong one changes nothing.
		for _, epoch := range []int32{f.epoch - 1, f.epoch + 1, 77} {
			wrong := *f
			wrong.epoch = epoch
			if told, code := wrong.ask(asking(id, map[int32]int64{0: 0})); code != kerr.InvalidFetchSessionEpoch.Code || told != nil {
				t.Errorf("epoch %d: %s, %q", epoch, name(code), told)
			}
		}
		f.mustTell("as before", asking(id, map[int32]int64{0: 3}), say(0, "ok 1"))
		// Names and ids do not mix.
		if version == 12 || version == 13 {
			other := *f
			other.version = 25 - version
			if _, code := other.ask(asking(id, nil)); code != kerr.FetchSessionTopicIDError.Code {
				t.Errorf("v%d in a session of v%d: %s", other.version, version, name(code))
			}
		}
		stranger := &fetchClient{client: f.client, version: version, id: f.id ^ 1, epoch: 5}
		if _, code := stranger.ask(asking(id, nil)); code != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("unknown session: %s", name(code))
		}
		// Without partitions there is no session.
		f.mustTell("all forgotten", asking(id, nil, 0, 1, 2))
		if _, code := f.ask(asking(id, nil)); code != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("after all was forgotten: %s", name(code))
		}
		// Epoch -1 ends a session, 0 starts it anew.
		for _, last := range []int32{-1, 0} {
			f.id, f.epoch = 0, 0
			f.mustTell("anew", asking(id, map[int32]int64{0: 4}), say(0, "ok 0"))
			over := *f
			over.epoch = last
			over.ask(asking(id, map[int32]int64{0: 4}))
			if _, code := f.ask(asking(id, nil)); code != kerr.FetchSessionIDNotFound.Code {
				t.Errorf("after epoch %d: %s", last, name(code))
			}
		}
	}
}

// When an answer is full, the partitions that got nothing come first next time.
func TestFetchSessionStarvesNobody(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 3)
	c := b.dial()
	batch := b.batch("x")
	ask[*kmsg.ProduceResponse](c, produceTo("t", id, -1, batch, batch, batch), 9)
	f := &fetchClient{client: b.dial(), version: 12}
	seen := map[string]int{}
	for range 6 {
		req := asking(id, nil)
		if f.epoch == 0 {
			req = asking(id, map[int32]int64{0: 0, 1: 0, 2: 0})
		}
		req.MaxBytes = int32(len(batch))
		told, _ := f.ask(req)
		for _, s := range told {
			seen[s]++
		}
	}
	for p := range 3 {
		if n := seen[fmt.Sprintf("t/%d ok 1", p)]; n != 2 {
			t.Errorf("partition %d came %d times in 6 answers: %v", p, n, seen)
		}
	}
}

// There are only so many sessions. Who finds no place is served without one; a
// session that was idle for two minutes makes place.
func TestFetchSessionEviction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, map[string]string{"max.incremental.fetch.session.cache.slots": "2"})
		id := b.topic("t", 1)
		c := b.dial()
		open := func() *fetchClient {
			f := &fetchClient{client: c, version: 12}
			f.mustTell("open", asking(id, map[int32]int64{0: 0}), "t/0 ok 0")
			return f
		}
		one, two, three := open(), open(), open()
		if one.id == 0 || two.id == 0 || three.id != 0 {
			t.Fatalf("sessions %d, %d, %d", one.id, two.id, three.id)
		}
		time.Sleep(fetchSessionIdle - time.Second) // of the bubble's clock
		two.mustTell("in use", asking(id, nil))
		if f := open(); f.id != 0 {
			t.Error("a third session")
		}
		time.Sleep(2 * time.Second)
		if f := open(); f.id == 0 {
			t.Error("no session in the place of an idle one")
		}
		two.mustTell("still there", asking(id, nil))
		if _, code := one.ask(asking(id, nil)); code != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("the idle session: %s", name(code))
		}
	})
}

// A client that does not wait for answers takes nothing down: requests of one
// session overtake each other's answers, on one connection and on many.
func TestFetchSessionWithoutWaiting(t *testing.T) {
	t.Parallel()
	b := newDataBench(t, nil)
	id := b.topic("t", 3)
	c := b.dial()
	f := &fetchClient{client: c, version: 12}
	f.ask(asking(id, map[int32]int64{0: 0, 1: 0, 2: 0}))
	writer := b.dial()
	var all sync.WaitGroup
	all.Go(func() {
		for range 100 {
			b.put(writer, "t", "x")
		}
	})
	const n = 200
	all.Go(func() {
		for i := range int32(n) {
			req := asking(id, map[int32]int64{i % 3: 0})
			req.Version, req.SessionID, req.SessionEpoch = 12, f.id, f.epoch+i
			req.MaxWaitMillis, req.MinBytes = 1, 1<<19
			c.send(7, req)
		}
	})
	for range n {
		resp := receive[*kmsg.FetchResponse](c, func() kmsg.Request { r := asking(id, nil); r.Version = 12; return r }())
		mustCode(t, "session", resp.ErrorCode, nil)
	}
	all.Wait()
}

// A request that waits goes on asking for what it asked for when the next one of its
// session, sent before its answer, asks for something else.
func TestFetchSessionNextRequestBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newDataBench(t, nil)
		id := b.topic("t", 1)
		writer := b.dial()
		b.put(writer, "t", "a")
		f := &fetchClient{client: b.dial(), version: 12}
		f.mustTell("open", asking(id, map[int32]int64{0: 1}), "t/0 ok 0")
		parked, next := asking(id, nil), asking(id, map[int32]int64{0: 0})
		for i, req := range []*kmsg.FetchRequest{parked, next} {
			req.Version, req.SessionID, req.SessionEpoch = 12, f.id, f.epoch+int32(i)
		}
		parked.MaxWaitMillis = 60_000
		f.send(7, parked)
		f.send(7, next)
		synctest.Wait()
		b.put(writer, "t", "b")
		if got := offsets(t, oneFetched(t, receive[*kmsg.FetchResponse](f.client, parked)).RecordBatches); !slices.Equal(got, []int64{1}) {
			t.Errorf("the one that waited: %v", got)
		}
		if got := offsets(t, oneFetched(t, receive[*kmsg.FetchResponse](f.client, next)).RecordBatches); len(got) == 0 || got[0] != 0 {
			t.Errorf("the next one: %v", got)
		}
	})
}
