package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// flipIn inverts one bit of a file of the directory, where a text stands first.
func flipIn(t *testing.T, fs vfs.FS, dir, text string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		name := path.Join(dir, n)
		b, err := vfs.ReadFile(fs, name)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte(text))
		if at < 0 {
			continue
		}
		f, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{b[at] ^ 4}, int64(at)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		return
	}
	t.Fatalf("%q is in no file of %s", text, dir)
}

// A decision waits for a partition that is damaged, whichever way that came into the
// transaction. The deletion of its topic lets the transactional id go on at once.
func TestDeletionOfADamagedTopicEndsTheWait(t *testing.T) {
	t.Parallel()
	b := newTxnBed(t, vfs.NewMem())
	defer func() { b.Abandon() }()
	if err := b.EnsureTopic(t.Context(), "u", 1, nil); err != nil {
		t.Fatal(err)
	}
	p := b.init("tx")
	plain := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: b.Now().UnixMilli(), Value: []byte("to be damaged")}})
	if got, err := b.Produce(t.Context(), b.Partition("u", 0), plain); err != nil || b.Store.Wait(t.Context(), got.Pos) != nil {
		t.Fatal(err)
	}
	if err := b.produce("tx", p, 0, 0); err != nil {
		t.Fatal(err)
	}
	mem := b.mem.Kill()
	b.Abandon()
	flipIn(t, mem, "/data/wal", "to be damaged")
	b = newTxnBed(t, mem)
	if b.Partition("u", 0).Log.Fenced() == nil {
		t.Fatal("the damage was not found")
	}
	a := wait(t, func(done func(txn.AddAnswer)) {
		b.Txns.Add(txn.Add{ID: "tx", ProducerID: p.ProducerID, Epoch: p.Epoch, Partitions: []txn.Partition{{Topic: "u"}}}, done)
	})
	if a.Code != 0 {
		t.Fatalf("%+v", a)
	}
	if a := b.end("tx", p, true); a.Code != 0 {
		t.Fatalf("%+v", a)
	}
	if l := b.Partition("t", 0).Log; l.LastStable() != 2 {
		t.Errorf("the partition that is well is not told: stable %d", l.LastStable())
	}
	if a := b.init("tx"); a.Code != kerr.ConcurrentTransactions.Code {
		t.Fatalf("while a partition cannot be told: %+v", a)
	}
	if errs := b.DeleteTopics([]*catalog.Topic{b.Catalog.Snapshot().Topic("u")}, nil); errs[0] != nil {
		t.Fatal(errs)
	}
	if a := b.init("tx"); a.Code != 0 || a.ProducerID != p.ProducerID {
		t.Errorf("after the deletion: %+v", a)
	}
}

// When the disk has failed nothing is tried again and again: there is no way back
// before the next start, which aborts what has taken too long.
func TestTimeOutsAfterTheDiskHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := vfs.NewFaulty(vfs.NewMem())
		log := make(lines, 1000)
		br, err := Open(Config{
			FS: faulty, Dir: "/data", Static: map[string]string{"transaction.state.log.num.partitions": "1"},
			Log: slog.New(log),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer br.Abandon()
		if err := br.EnsureTopic(t.Context(), "t", 2, nil); err != nil {
			t.Fatal(err)
		}
		b := &txnBed{Broker: br, t: t}
		for i := range 3 {
			id := fmt.Sprint("tx", i)
			if err := b.produce(id, b.init(id), 0, 0); err != nil {
				t.Fatal(err)
			}
		}
		faulty.Add(vfs.Rule{Op: vfs.OpSync, Err: syscall.EIO})
		plain := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: b.Now().UnixMilli(), Value: []byte("v")}})
		if got, err := b.Produce(t.Context(), b.Partition("t", 1), plain); err == nil && b.Store.Wait(t.Context(), got.Pos) == nil {
			t.Fatal("the disk has not failed")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		n := 0
		for len(log) > 0 {
			if strings.Contains(<-log, "open for longer than its") {
				n++
			}
		}
		if n != 3 {
			t.Errorf("said %d times that one of three transactions is open for too long", n)
		}
		s := b.Txns.shardOf(t, "tx0")
		s.mu.Lock()
		defer s.mu.Unlock()
		if at := s.machine.Deadline(); !at.IsZero() {
			t.Errorf("the next try is at %v", at)
		}
	})
}

// Who asks about a transactional id, or names one that nobody has, makes nothing.
func TestQuestionsMakeNoTopic(t *testing.T) {
	t.Parallel()
	b := newTxnBed(t, vfs.NewMem())
	defer b.Abandon()
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	describe.TransactionalIDs = []string{"nosuch", ""}
	codes := func() (out [2]int16) {
		res := wait(t, func(done func(*kmsg.DescribeTransactionsResponse)) { b.Txns.Describe(describe, done) })
		return [2]int16{res.TransactionStates[0].ErrorCode, res.TransactionStates[1].ErrorCode}
	}
	if got := codes(); got != [2]int16{kerr.NotCoordinator.Code, kerr.InvalidRequest.Code} {
		t.Errorf("describe: %v", got)
	}
	if a := b.end("nosuch", txn.InitAnswer{ProducerID: 1}, true); a.Code != kerr.NotCoordinator.Code {
		t.Errorf("end: %+v", a)
	}
	if err := b.produce("nosuch", txn.InitAnswer{ProducerID: 1}, 0, 0); err != kerr.NotEnoughReplicas && err != kerr.NotCoordinator {
		t.Errorf("produce: %v", err)
	}
	if b.Catalog.Snapshot().Topic(TransactionsTopic) != nil {
		t.Error("they have made the topic")
	}
	b.init("tx")
	if got := codes(); got != [2]int16{kerr.TransactionalIDNotFound.Code, kerr.InvalidRequest.Code} {
		t.Errorf("describe, with the topic there: %v", got)
	}
}

// An administrator's marker is kept over a start, also where nobody has used
// transactions: what it says of its producer is in the checkpoint, which is of the
// version that programs without transactions do not take.
func TestMarkerWithoutTransactions(t *testing.T) {
	t.Parallel()
	b := newTxnBed(t, vfs.NewMem())
	defer func() { b.Abandon() }()
	pos, err := b.Txns.WriteMarker(b.Partition("t", 0), kafka.Marker{ProducerID: 7, Epoch: 3, CoordinatorEpoch: 5})
	if err != nil || b.Store.Wait(t.Context(), pos) != nil {
		t.Fatal(err)
	}
	if err := b.Store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	checkpoint, err := vfs.ReadFile(b.mem, "/data/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	if version := binary.BigEndian.Uint16(checkpoint[4:]); version != 2 {
		t.Errorf("the checkpoint has version %d", version)
	}
	b = b.crash(vfs.KeepNone)
	want := plog.ProducerState{ProducerID: 7, Epoch: 3, LastSequence: -1, CoordinatorEpoch: 5, TxnStart: -1}
	got := b.Partition("t", 0).Log.Producers()
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	if got[0].LastTimestamp = 0; got[0] != want {
		t.Errorf("%+v, want %+v", got[0], want)
	}
	if b.Catalog.Snapshot().Topic(TransactionsTopic) != nil {
		t.Error("it has made the topic")
	}
}
