package plog

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// txnKeyed writes keyed records in transactions.
func (k *keyed) txn(pid int64, seq int32, begins bool, kvs ...string) {
	k.t.Helper()
	recs := make([]kafka.Record, len(kvs))
	for i, kv := range kvs {
		key, value, ok := strings.Cut(kv, "=")
		recs[i] = kafka.Record{Timestamp: k.now.Load(), Key: []byte(key)}
		if ok {
			recs[i].Value = []byte(value)
		}
	}
	op := Append(k.l, kafka.Build(kafka.BatchSpec{Transactional: true, Producer: &kafka.ProducerSpec{ID: pid, Sequence: seq}}, recs))
	if begins {
		op = Begins(op)
	}
	mustSubmit(k.t, k.s, op)
}

func (k *keyed) end(pid int64, commit bool) {
	k.t.Helper()
	mustSubmit(k.t, k.s, Mark(k.l, marker(pid, 0, commit), k.now.Load()))
}

// batchesOf lists what the log holds: base offset, records, and M for a marker.
func batchesOf(t *testing.T, l *Log) (out []string) {
	t.Helper()
	if err := l.ReadAll(func(b kafka.Batch) error {
		s := fmt.Sprintf("%d:%d", b.BaseOffset(), b.NumRecords())
		if b.Control() {
			s += "M"
		}
		out = append(out, s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompactionOfTransactions(t *testing.T) {
	t.Parallel()
	cfg := compactConfig()
	cfg.DeleteRetention = time.Minute
	cfg.SegmentBytes = 1 // a segment for each batch
	k := newKeyed(t, vfs.NewMem(), cfg)
	k.txn(1, 0, true, "a=1", "b=1") // 0, 1
	k.end(1, true)                  // 2
	k.txn(2, 0, true, "a=2")        // 3: aborted
	k.end(2, false)                 // 4
	k.txn(3, 0, true, "b=2")        // 5: committed, supersedes
	k.end(3, true)                  // 6
	k.txn(4, 0, true, "c=1")        // 7: stays open
	k.txn(5, 0, true, "a=3")        // 8
	k.end(5, true)                  // 9
	k.checkpoint()
	k.compact()
	// Up to 7, where a transaction is open. What was aborted names no key and is left
	// as an empty batch, for its producer's sequence.
	if got, want := batchesOf(t, k.l), []string{"0:1", "2:1M", "3:0", "4:1M", "5:1", "6:1M", "7:1", "8:1", "9:1M"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if got, want := committed(t, k.l, 1), []string{"0=1", "5=2"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	k.end(4, false) // 10
	for pid := range int64(3) {
		k.txn(pid+1, []int32{2, 1, 1}[pid], true, "z="+fmt.Sprint(pid)) // the producers go on: 11, 13, 15
		k.end(pid+1, true)
	}
	k.checkpoint()
	k.compact()
	if got, want := committed(t, k.l, 1), []string{"5=2", "8=3", "15=2"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	// Markers of transactions without data wait for delete.retention.ms.
	if got := batchesOf(t, k.l); !reflect.DeepEqual(got, []string{"2:1M", "4:1M", "5:1", "6:1M", "7:0", "8:1", "9:1M", "10:1M", "11:0", "12:1M", "13:0", "14:1M", "15:1", "16:1M"}) {
		t.Fatalf("%v", got)
	}
	k.now.Add(time.Minute.Milliseconds())
	k.txn(1, 3, true, "y=1") // 17
	k.end(1, true)           // 18
	k.checkpoint()
	k.compact()
	if got := batchesOf(t, k.l); !reflect.DeepEqual(got, []string{"5:1", "6:1M", "7:0", "8:1", "9:1M", "10:1M", "12:1M", "13:0", "14:1M", "15:1", "16:1M", "17:1", "18:1M"}) {
		t.Fatalf("%v", got)
	}
	c, err := k.l.Check(t.Context())
	if err != nil || !c.OK() {
		t.Errorf("%+v %v", c, err)
	}
	k.s.Abandon()
}

// Random transactions with compactions, crashes and restarts, against a plain account:
// the newest committed value of each key is seen, and nothing that was not committed.
func TestCompactTransactionsAgainstAMap(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 8))
			cfg := compactConfig()
			cfg.DeleteRetention = time.Duration(rng.IntN(3)) * time.Second
			cfg.SegmentBytes = int64(200 + rng.IntN(1500))
			k := newKeyed(t, vfs.NewMem(), cfg)
			k.s.opt.CompactMemory = int64(24 * (2 + rng.IntN(30)))
			want := map[string]string{}
			type open struct{ kvs [][2]string }
			txns := map[int64]*open{}
			seq := map[int64]int32{}
			for step := range 250 {
				k.now.Add(rng.Int64N(400))
				pid := 1 + rng.Int64N(5)
				switch rng.IntN(12) {
				case 0:
					k.checkpoint()
					k.compact()
				case 1:
					k.checkpoint()
				case 2:
					disk := k.fs.(*vfs.Mem).Crash(vfs.KeepSome, rng.Uint64())
					k.s.Abandon()
					k.reopen(disk, cfg)
				case 3, 4, 5:
					if tx := txns[pid]; tx != nil {
						commit := rng.IntN(2) == 0
						k.end(pid, commit)
						if commit {
							for _, kv := range tx.kvs {
								want[kv[0]] = kv[1]
							}
						}
						delete(txns, pid)
					}
				default:
					key, value := fmt.Sprint(pid, "-", rng.IntN(4)), fmt.Sprint(step)
					k.txn(pid, seq[pid], txns[pid] == nil, key+"="+value)
					seq[pid]++
					if txns[pid] == nil {
						txns[pid] = &open{}
					}
					txns[pid].kvs = append(txns[pid].kvs, [2]string{key, value})
				}
				if step%10 != 0 {
					continue
				}
				first := int64(-1)
				for pid := range txns {
					if p, _ := k.l.Producer(pid); first < 0 || p.TxnStart < first {
						first = p.TxnStart
					}
				}
				if first < 0 {
					first = k.l.HighWatermark()
				}
				if k.l.LastStable() != first {
					t.Fatalf("step %d: stable %d, want %d", step, k.l.LastStable(), first)
				}
			}
			for pid := range txns {
				k.end(pid, false)
			}
			k.checkpoint()
			k.compact()
			got := map[string]string{}
			for _, kv := range committedRecords(t, k.l) {
				got[kv[0]] = kv[1]
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%v\nwant\n%v", got, want)
			}
			c, err := k.l.Check(t.Context())
			if err != nil || !c.OK() {
				t.Errorf("%+v %v", c, err)
			}
			k.s.Abandon()
		})
	}
}

// committedRecords are the keys and values that a reader of committed data sees.
func committedRecords(t *testing.T, l *Log) (out [][2]string) {
	t.Helper()
	keys := map[int64]string{}
	if err := l.ReadAll(func(b kafka.Batch) error {
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				return err
			}
			keys[r.Offset] = string(r.Key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, s := range committed(t, l, 500) {
		at, value, _ := strings.Cut(s, "=")
		var offset int64
		fmt.Sscan(at, &offset)
		out = append(out, [2]string{keys[offset], value})
	}
	return out
}
