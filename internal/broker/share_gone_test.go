package broker

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/group"
	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/vfs"
)

// beat sends a heartbeat of a member of a share group that reads t; the answer comes on
// the channel.
func (b *shareBench) beat(id, member string, epoch int32) <-chan *kmsg.ShareGroupHeartbeatResponse {
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.GroupID, req.MemberID, req.MemberEpoch = id, member, epoch
	if epoch == 0 {
		req.SubscribedTopicNames = []string{"t"}
	}
	answered := make(chan *kmsg.ShareGroupHeartbeatResponse, 1)
	b.ShareHeartbeat(group.Client{ID: "c", Host: "/h"}, req, func(res *kmsg.ShareGroupHeartbeatResponse) { answered <- res })
	return answered
}

func (b *shareBench) join(id, member string) {
	b.t.Helper()
	if res := <-b.beat(id, member, 0); res.ErrorCode != 0 || len(res.Assignment.TopicPartitions) != 1 {
		b.t.Fatalf("%+v", res)
	}
}

func (b *shareBench) leave(id, member string) {
	b.t.Helper()
	if res := <-b.beat(id, member, -1); res.ErrorCode != 0 {
		b.t.Fatalf("%+v", res)
	}
}

func (b *shareBench) delete(id string) int16 {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{id}
	answered := make(chan *kmsg.DeleteGroupsResponse, 1)
	b.DeleteGroups(req, func(res *kmsg.DeleteGroupsResponse) { answered <- res })
	return (<-answered).Groups[0].ErrorCode
}

// A share group is deleted together with where it stands: at whatever moment the power
// goes, there are both or neither. A member that joins the next moment begins anew.
func TestShareGroupIsDeletedWithItsPlaces(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.join("q", "a")
	b.put(4)
	b.take("a", 4)
	b.ack("a", 0, 2, share.Accept)
	if code := b.delete("q"); code != kerr.NonEmptyGroup.Code {
		t.Fatalf("with a member: %v", kerr.ErrorForCode(code))
	}
	b.leave("q", "a")
	if got, _ := b.take("b", 4); len(got) != 1 {
		t.Fatalf("a deletion that was refused has taken something along: %v comes", got)
	}
	b.Shares.GiveBack("q", "b")

	var mu sync.Mutex
	var images []*vfs.Mem
	image := func() {
		mu.Lock()
		defer mu.Unlock()
		images = append(images, b.disk.Crash(vfs.KeepNone, 1))
	}
	b.faulty.Hook(func(op vfs.Op, name string) {
		if op == vfs.OpSync && strings.HasSuffix(name, ".wal") {
			image()
		}
	})
	if code := b.delete("q"); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	b.join("q", "c")
	got, _ := b.take("c", 4)
	b.expect("after the deletion", got, []int64{0, 1, 2, 3})
	b.ack("c", 0, 0, share.Accept)
	b.faulty.Hook(nil)
	image()
	for i, disk := range images {
		then := &shareBench{t: t, disk: disk}
		then.open()
		groups, err := then.Shares.Places("q")
		if err != nil {
			t.Fatal(err)
		}
		if exists := then.Shares.emptyGroup("q") != kerr.GroupIDNotFound.Code; !exists && len(groups) > 0 {
			t.Errorf("power lost at sync %d of %d: the group is gone, and stands at %d", i, len(images), groups[0].Start)
		}
		if i == len(images)-1 && (len(groups) != 1 || groups[0].Start != 1) {
			t.Errorf("after all: %+v", groups)
		}
	}
	if len(images) < 3 {
		t.Errorf("only %d moments were looked at", len(images))
	}
}

// Where a group stands that does not exist is forgotten in the second round, not before,
// and not while a session is open; where one stands that exists is not.
func TestShareStrayIsForgotten(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.join("other", "o") // makes the groups' log; it does not stand in the way
	b.put(2)
	b.take("a", 2)
	b.ack("a", 0, 0, share.Accept)
	ses, _, _, err := b.Shares.FetchSession("q", "a", 0, nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	places := func(id string) int {
		t.Helper()
		ps, err := b.Shares.Places(id)
		if err != nil {
			t.Fatal(err)
		}
		return len(ps)
	}
	strays := b.Shares.sweep(b.Shares.sweep(nil))
	if len(strays) != 0 || places("q") != 1 {
		t.Errorf("with a session: strays %v, %d places", strays, places("q"))
	}
	b.Shares.EndSession(ses, false)
	if strays = b.Shares.sweep(strays); !strays["q"] || places("q") != 1 {
		t.Errorf("first round: strays %v, %d places", strays, places("q"))
	}
	if strays = b.Shares.sweep(strays); len(strays) != 0 || places("q") != 0 {
		t.Errorf("second round: strays %v, %d places", strays, places("q"))
	}
	if places("other") != 1 {
		t.Error("a group that exists has lost its place")
	}
	b.crash()
	if places("q") != 0 || places("other") != 1 {
		t.Errorf("after a crash: %d places, and %d of the group that exists", places("q"), places("other"))
	}
}

// A group whose partitions cannot be begun for a while holds up no other group.
func TestShareGroupsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.join("q", "a")
	b.leave("q", "a")
	// Its state is being read, and that takes long.
	sp := b.Shares.ofGroup("q")[0]
	sp.shard.loading.Lock()
	sp.shard.loaded.Store(false)
	slow := b.beat("q", "b", 0)
	made := make(chan int16, 1)
	go func() { made <- b.Shares.makeGroup("other", false) }()
	select {
	case code := <-made:
		if code != 0 {
			t.Error(kerr.ErrorForCode(code))
		}
	case <-time.After(20 * time.Second):
		t.Error("another group waits for it")
	}
	select {
	case res := <-slow:
		t.Errorf("answered before its partitions have begun: %+v", res)
	default:
	}
	sp.shard.loaded.Store(true)
	sp.shard.loading.Unlock()
	if res := <-slow; res.ErrorCode != 0 || res.Assignment == nil {
		t.Errorf("%+v", res)
	}
}
