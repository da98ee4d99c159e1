package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// txnLog is a coordinator with a log of plain records, records of transactions, and
// their ends.
type txnLog struct {
	t   *testing.T
	c   *Coordinator
	now time.Time
	log []txnLogEntry
}

type txnLogEntry struct {
	record   Record
	producer int64 // -1: none
	end      bool
	commit   bool
}

func newTxnLog(t *testing.T) *txnLog {
	return &txnLog{t: t, c: New(txnLogConfig()), now: time.UnixMilli(1_000_000)}
}

func txnLogConfig() Config {
	cfg := DefaultConfig()
	cfg.NewID = func() string { return "m" }
	return cfg
}

// step carries an event out, durably at once, and returns the answer.
func (l *txnLog) step(e Event) (answer any) {
	l.t.Helper()
	eff := l.c.Step(l.now, e)
	if eff.Placed > 0 {
		end := e.(TxnEnd)
		l.log = append(l.log, txnLogEntry{producer: end.ProducerID, end: true, commit: end.Commit})
		more := l.c.Step(l.now, Durable{ID: eff.Placed})
		eff.Replies = append(eff.Replies, more.Replies...)
	}
	for i := 0; i < len(eff.Writes); i++ {
		w := eff.Writes[i]
		producer := int64(-1)
		if w.Producer != nil {
			producer = w.Producer.ID
		}
		for _, r := range w.Records {
			l.log = append(l.log, txnLogEntry{record: r, producer: producer})
		}
		for _, news := range []Event{Appended{ID: w.ID}, Durable{ID: w.ID}} {
			more := l.c.Step(l.now, news)
			eff.Writes = append(eff.Writes, more.Writes...)
			eff.Replies = append(eff.Replies, more.Replies...)
		}
	}
	for _, r := range eff.Replies {
		answer = r.Answer
	}
	return answer
}

// restart replays the log; all topics are there.
func (l *txnLog) restart() {
	l.t.Helper()
	l.restartWith(nil)
}

// restartWith is restart with these topics only; what is written then is durable.
func (l *txnLog) restartWith(topics Topics) {
	l.t.Helper()
	l.c = New(txnLogConfig())
	var n Replayed
	for _, e := range l.log {
		var err error
		switch {
		case e.end:
			l.c.ReplayEnd(e.producer, e.commit)
		case e.producer >= 0:
			err = l.c.ReplayTxn(e.producer, e.record, &n)
		default:
			err = l.c.Replay(e.record, &n)
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	if n.Skipped > 0 {
		l.t.Fatalf("%+v", n)
	}
	eff := l.c.Loaded(l.now, topics)
	for i := 0; i < len(eff.Writes); i++ {
		w := eff.Writes[i]
		for _, r := range w.Records {
			l.log = append(l.log, txnLogEntry{record: r, producer: -1})
		}
		for _, news := range []Event{Appended{ID: w.ID}, Durable{ID: w.ID}} {
			eff.Writes = append(eff.Writes, l.c.Step(l.now, news).Writes...)
		}
	}
}

func (l *txnLog) codes(e Event) []int16 { return l.step(e).(CommitAnswer).Codes }

// offsets asks for all of a group's offsets; -2 stands for one that is unstable.
func (l *txnLog) offsets(group string, stable bool) map[int32]int64 {
	got := map[int32]int64{}
	e := FetchOffsets{Group: group, MemberEpoch: -1, Stable: stable, Topics: []TopicPartitions{{Topic: "t", Partitions: []int32{0, 1, 2}}}}
	for _, p := range l.step(e).(FetchAnswer).Topics[0].Partitions {
		switch {
		case p.Code == kerr.UnstableOffsetCommit.Code:
			got[p.Partition] = -2
		case p.Offset >= 0:
			got[p.Partition] = p.Offset
		}
	}
	return got
}

func TestTxnOffsetsAreFenced(t *testing.T) {
	l := newTxnLog(t)
	commit := func(group, member string, generation int32) int16 {
		return l.codes(TxnCommit{Group: group, MemberID: member, Generation: generation, Producer: Producer{ID: 1},
			Offsets: []CommitOffset{{Topic: "t", Offset: 1, LeaderEpoch: -1}}})[0]
	}
	for _, q := range []struct {
		what       string
		member     string
		generation int32
		want       *kerr.Error
	}{
		{"a producer from before", "", -1, nil},
		{"a generation of no group", "", 3, kerr.UnknownMemberID},
		{"a member of no group", "m", 3, kerr.UnknownMemberID},
	} {
		if code := commit("g", q.member, q.generation); kerr.TypedErrorForCode(code) != q.want {
			t.Errorf("%s: %v, want %v", q.what, kerr.ErrorForCode(code), q.want)
		}
	}
	if code := commit("new", "m", 3); code != kerr.IllegalGeneration.Code {
		t.Errorf("a group that does not exist: %v", kerr.ErrorForCode(code))
	}
	long := TxnCommit{Group: "g", Generation: -1, Offsets: []CommitOffset{{Topic: "t", Metadata: string(make([]byte, 5000))}}}
	if code := l.codes(long)[0]; code != kerr.OffsetMetadataTooLarge.Code {
		t.Errorf("%v", kerr.ErrorForCode(code))
	}
}

// Random commits, plain and in transactions, ends, deletions and restarts against a
// plain account: of two the one that was asked for later counts, and nothing comes back.
func TestTxnOffsetsRandom(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 21))
		l := newTxnLog(t)
		type key struct {
			group     string
			partition int32
		}
		committed := map[key]int64{}
		pending := map[int64]map[key]int64{}
		overtake := func(k key, now int64) {
			for id, m := range pending {
				if at, ok := m[k]; ok && at < now {
					delete(m, k)
				}
				if len(m) == 0 {
					delete(pending, id)
				}
			}
		}
		for step := range int64(300) {
			k := key{fmt.Sprint("g", rng.IntN(2)), rng.Int32N(3)}
			id := rng.Int64N(3)
			o := []CommitOffset{{Topic: "t", Partition: k.partition, Offset: step, LeaderEpoch: -1}}
			switch rng.IntN(10) {
			case 0, 1:
				if code := l.codes(Commit{Group: k.group, Generation: -1, RetentionMillis: -1, Version: 8, Offsets: o})[0]; code != 0 {
					t.Fatal(kerr.ErrorForCode(code))
				}
				committed[k] = step
				overtake(k, step)
			case 2, 3, 4:
				if code := l.codes(TxnCommit{Group: k.group, Generation: -1, Producer: Producer{ID: id}, Offsets: o})[0]; code != 0 {
					t.Fatal(kerr.ErrorForCode(code))
				}
				if pending[id] == nil {
					pending[id] = map[key]int64{}
				}
				pending[id][k] = step
			case 5, 6:
				commit := rng.IntN(2) == 0
				l.step(TxnEnd{ProducerID: id, Commit: commit})
				ended := pending[id]
				delete(pending, id)
				for k, at := range ended {
					if commit {
						committed[k] = at
						overtake(k, at)
					}
				}
			case 7:
				l.step(DeleteOffsets{Group: k.group, Topics: []TopicPartitions{{Topic: "t", Partitions: []int32{k.partition}}}})
				delete(committed, k)
				overtake(k, step)
			case 8:
				if rng.IntN(4) > 0 {
					continue
				}
				l.step(DeleteGroup{Group: k.group})
				for p := range int32(3) {
					delete(committed, key{k.group, p})
					overtake(key{k.group, p}, step)
				}
			case 9:
				l.restart()
			}
			for g := range 2 {
				group := fmt.Sprint("g", g)
				want, stable := map[int32]int64{}, map[int32]int64{}
				for p := range int32(3) {
					if at, ok := committed[key{group, p}]; ok {
						want[p], stable[p] = at, at
					}
					if slices.ContainsFunc(slices.Collect(maps.Values(pending)), func(m map[key]int64) bool { _, ok := m[key{group, p}]; return ok }) {
						stable[p] = -2
					}
				}
				if got := l.offsets(group, false); !maps.Equal(got, want) {
					t.Fatalf("seed %d, step %d: %s has %v, want %v", seed, step, group, got, want)
				}
				if got := l.offsets(group, true); !maps.Equal(got, stable) {
					t.Fatalf("seed %d, step %d: %s has %v when it must be stable, want %v", seed, step, group, got, stable)
				}
			}
		}
	}
}

// A topic is deleted and the broker dies before the groups have heard of it: what open
// transactions have brought for it is neither pending any more nor counts when they are
// committed, over any number of starts; what they have brought for a topic that was made
// anew under the name does.
func TestPendingOffsetsOfATopicThatIsGone(t *testing.T) {
	t.Parallel()
	old, anew := TopicID{1}, TopicID{2}
	put := func(l *txnLog, producer int64, id TopicID, partition int32, offset int64) {
		l.t.Helper()
		codes := l.codes(TxnCommit{Group: "g", Generation: -1, Producer: Producer{ID: producer}, Offsets: []CommitOffset{
			{Topic: "t", TopicID: id, Partition: partition, Offset: offset},
		}})
		if codes[0] != 0 {
			l.t.Fatal(codes)
		}
	}
	for name, topics := range map[string]testTopics{"gone": {}, "made anew": {"t": {anew, 3}}} {
		l := newTxnLog(t)
		put(l, 1, old, 0, 10)
		put(l, 1, old, 1, 11)
		l.restartWith(topics)
		if got := l.offsets("g", true); len(got) != 0 {
			t.Errorf("%s: pending after the start: %v", name, got)
		}
		want := map[int32]int64{}
		if name == "made anew" {
			put(l, 2, anew, 1, 21)
			put(l, 1, anew, 2, 22)
			want = map[int32]int64{1: 21, 2: 22}
		}
		l.step(TxnEnd{ProducerID: 2, Commit: true})
		l.step(TxnEnd{ProducerID: 1, Commit: true})
		for i := range 3 {
			if got := l.offsets("g", true); !maps.Equal(got, want) {
				t.Errorf("%s: committed, %d starts later: %v, want %v", name, i, got, want)
			}
			l.restartWith(topics)
		}
	}
}
