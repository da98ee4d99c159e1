package wal

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

const (
	testDir  = "/wal"
	testSalt = 0x5a17
	testFile = 64 << 10
)

// openWAL opens a log of small files, four at most.
func openWAL(t testing.TB, fs vfs.FS, change ...func(*Options)) *WAL {
	t.Helper()
	opt := Options{FS: fs, Dir: testDir, Salt: testSalt, Next: 1, FileSize: testFile, MaxFiles: 4}
	for _, c := range change {
		c(&opt)
	}
	// The directory's own name is the affair of whoever makes it.
	if err := errors.Join(fs.MkdirAll(testDir), fs.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	w, err := Open(opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	_ = made(w) // what a test then sees of the disk is the flusher's; a full disk shows again
	return w
}

func testTopic(n int) kafka.UUID { return kafka.UUID{0: 7, 15: byte(n)} }

// batchFrame is a frame with one record, whose offset tells it apart.
func batchFrame(topic int, offset int64, value string) *Frame {
	b := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: 1000, Value: []byte(value)}})
	b.SetBaseOffset(offset)
	b.SetLeaderEpoch(3)
	return &Frame{
		Kind: KindBatch, Topic: testTopic(topic), Partition: int32(topic), Epoch: 3, Offset: offset,
		SegBase: 0, SegPos: uint32(offset) * 100, CRC: b.CRC(), Data: b,
	}
}

func createFrame(topic int, name string) *Frame {
	f := &Frame{Kind: KindCreate, Topic: testTopic(topic), Partition: int32(topic), Data: []byte(name)}
	f.CRC = kafka.CRC32C(f.Data)
	return f
}

func mustEnqueue(t testing.TB, w *WAL, frames ...*Frame) Pos {
	t.Helper()
	p, err := w.Enqueue(frames, nil, nil)
	if err != nil {
		t.Fatalf("enqueue: %v", err)
	}
	return p
}

// durable waits until p is on disk.
func durable(t testing.TB, w *WAL, p Pos) {
	t.Helper()
	if err := <-whenDurable(w, p); err != nil {
		t.Fatalf("group %d: %v", p, err)
	}
}

func whenDurable(w *WAL, p Pos) <-chan error {
	done := make(chan error, 1)
	w.WhenDurable(p, func(err error) { done <- err })
	return done
}

// put writes one frame as a group of its own and waits for it.
func put(t testing.TB, w *WAL, frames ...*Frame) Pos {
	t.Helper()
	p := mustEnqueue(t, w, frames...)
	durable(t, w, p)
	for _, f := range frames {
		f.Release()
	}
	return p
}

// scanned is what a scan found, and the groups with it.
type scanned struct {
	*Result
	Groups []Group
}

func mustScan(t testing.TB, fs vfs.FS, after Pos) *scanned {
	t.Helper()
	res, err := Scan(fs, testDir, testSalt, after)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	sameTogether(t, res, after)
	s := &scanned{Result: res}
	res.Piece = 16 << 10
	err = res.Each(
		func(n int) ([]byte, error) { return make([]byte, n), nil },
		func(g Group) error {
			s.Groups = append(s.Groups, Group{g.Seq, slices.Clone(g.Frames)})
			return nil
		})
	if err != nil || len(s.Groups) != res.Len() {
		t.Fatalf("scan: %d groups of %d: %v", len(s.Groups), res.Len(), err)
	}
	return s
}

// sameTogether checks that files scanned at the same time give what they gave one by one.
func sameTogether(t testing.TB, res *Result, after Pos) {
	t.Helper()
	if len(res.files) < 2 {
		return
	}
	other := &Result{Last: after, Piece: res.Piece, fs: res.fs, files: res.files}
	scs, err := scanFiles(other, testSalt, after, scanTogether)
	if err != nil {
		t.Fatalf("scan together: %v", err)
	}
	other.collect(scs, after)
	if !reflect.DeepEqual(other, res) {
		t.Errorf("scanned together: %+v\none by one: %+v", other, res)
	}
}

// story is what a scan found, one word a frame: group:kind(topic offset value).
func story(res *scanned) string {
	var out []string
	for _, g := range res.Groups {
		for i := range g.Frames {
			out = append(out, fmt.Sprintf("%d:%s", g.Seq, describe(&g.Frames[i])))
		}
	}
	return strings.Join(out, " ")
}

func describe(f *Frame) string {
	value := string(f.Data)
	if f.Kind == KindBatch {
		b, _, err := kafka.NextBatch(f.Data)
		if err != nil {
			return err.Error()
		}
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				return err.Error()
			}
			value = string(r.Value)
		}
	}
	return fmt.Sprintf("%d(%d,%d,%s)", f.Kind, f.Partition, f.Offset, value)
}

// patience bounds what a test waits for that must come.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func within[T any](t testing.TB, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-patience(t).Done():
		t.Fatalf("%s: nothing came", what)
	}
	return v
}

// quiet fails when something has come already.
func quiet[T any](t testing.TB, ch <-chan T, what string) {
	t.Helper()
	select {
	case v := <-ch:
		t.Errorf("%s: %v", what, v)
	default:
	}
}
