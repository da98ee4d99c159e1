package broker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// lines sends the text of each log record.
type lines chan string

func (l lines) Enabled(context.Context, slog.Level) bool { return true }
func (l lines) Handle(_ context.Context, r slog.Record) error {
	l <- r.Message
	return nil
}
func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }

func listCode(b *groupBed) error {
	req := kmsg.NewPtrListGroupsRequest()
	req.Version = 5
	return kerr.ErrorForCode(answer(b.t, b.groups.List, req).ErrorCode)
}

// A long log of groups is read in the background: until it is through its groups say
// so, a topic that goes meanwhile is forgotten, and everything is there afterwards.
func TestGroupsLoadInTheBackground(t *testing.T) {
	t.Parallel()
	b := newGroupBed(t)
	if err := b.commit("g", -1, "", map[string]int64{"t/0": 7, "u/0": 9}); err != nil {
		t.Fatal(err)
	}
	b.groups.Close()
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	b.epoch++
	b.disk = vfs.NewFaulty(b.mem)
	var err error
	b.store, _, err = plog.Open(plog.Options{FS: b.disk, Dir: "/data", Salt: 1, Epoch: b.epoch, WALFileSize: 4 << 20, DiskReserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.store.Abandon()
	gate := b.disk.Gate(vfs.OpRead, "*.log")
	said := make(lines, 100)
	b.groups = NewGroups(GroupsOptions{CoordOptions: CoordOptions{
		Store: b.store, Catalog: b.cat, CreateTopic: b.createTopic, Now: time.Now, Logger: slog.New(said), LoadAtOnce: -1,
	}})
	defer b.groups.Close()
	defer gate.Open()
	select {
	case <-gate.Arrived():
	case <-t.Context().Done():
		t.Fatal("nothing is read")
	}
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != kerr.CoordinatorLoadInProgress.Error() {
		t.Errorf("fetch: %s", got)
	}
	if err := b.commit("g", -1, "", map[string]int64{"u/0": 8}); err != kerr.CoordinatorLoadInProgress {
		t.Errorf("commit: %v", err)
	}
	if err := listCode(b); err != kerr.CoordinatorLoadInProgress {
		t.Errorf("list: %v", err)
	}
	if err := b.groups.Available("g"); err != nil {
		t.Errorf("available: %v", err)
	}
	id := b.cat.Snapshot().Topic("t").ID
	b.cat.Apply(catalog.DropTopic("t"))
	b.groups.TopicDeleted("t", id)

	gate.Open()
	for text := range said {
		if text == "groups loaded" {
			break
		}
	}
	if got, want := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))), "u/0=9 at 9"; got != want {
		t.Errorf("fetch: %s, want %s", got, want)
	}
	if err := listCode(b); err != nil {
		t.Errorf("list: %v", err)
	}
	b.groups.TopicDeleted("u", b.cat.Snapshot().Topic("u").ID)
	if got := offsetsOf(answer(t, b.groups.Fetch, fetchAll("g"))); got != "" {
		t.Errorf("offsets of a topic that is gone: %s", got)
	}
}

// A stop does not wait for what is still to be read.
func TestGroupsStopLoading(t *testing.T) {
	t.Parallel()
	b := newGroupBed(t)
	for _, g := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := b.commit(g, -1, "", map[string]int64{"t/0": 7}); err != nil {
			t.Fatal(err)
		}
	}
	b.groups.Close()
	if err := b.store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	said := make(lines, 100)
	g := NewGroups(GroupsOptions{CoordOptions: CoordOptions{Store: b.store, Catalog: b.cat, CreateTopic: b.createTopic, Now: time.Now, Logger: slog.New(said), LoadAtOnce: 1 << 20}})
	if !g.shards.all()[0].loaded.Load() {
		t.Error("a short log was not read at once")
	}
	g.Close()
	gate := b.disk.Gate(vfs.OpRead, "*.log")
	g = NewGroups(GroupsOptions{CoordOptions: CoordOptions{Store: b.store, Catalog: b.cat, CreateTopic: b.createTopic, Now: time.Now, Logger: slog.New(lines(make(chan string))), LoadAtOnce: -1}})
	select {
	case <-gate.Arrived():
	case <-t.Context().Done():
		t.Fatal("nothing is read")
	}
	g.shards.cancel()
	gate.Open()
	g.Close() // it would log, and nobody listens, if it went on to the end
	for _, s := range g.shards.all() {
		if s.log.End() > 0 && s.loaded.Load() {
			t.Errorf("%s was read to its end", s)
		}
	}
}
