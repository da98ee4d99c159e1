package share

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// The bytes are Kafka's: written by hand from ShareSnapshotValue.json and
// ShareUpdateValue.json, with Leat's tagged field in the last batch.
func TestRecordsGolden(t *testing.T) {
	t.Parallel()
	key := Key{Group: "gr", Topic: [16]byte{0xaa, 15: 0xbb}, Partition: 7}
	head := Header{SnapshotEpoch: 1, StateEpoch: 2, LeaderEpoch: 3, Created: 4, Written: 5}
	w := Write{Start: 6, Done: 9, Batches: []Entry{
		{First: 8, Last: 9, State: Acknowledged, Acquired: 1},
		{First: 10, Last: 10, State: Available, Acquired: 3, Failed: 2, Due: 0x11, Member: "m", Lock: 0x12},
	}}
	const (
		keyRest = "0002 6772 aa0000000000000000000000000000bb 00000007"
		batches = "03" + // two, plus one
			"0000000000000008 0000000000000009 02 0001 00" +
			"000000000000000a 000000000000000a 00 0003 01 904e 13 0002 0000000000000011 0000000000000012 6d" +
			"01 00 04 00000009" // one tagged field: number 0, 4 bytes
	)
	for _, c := range []struct {
		kind       Kind
		key, value []byte
		want       string
		head       Header
	}{
		{Snapshot, AppendSnapshotKey(nil, key), AppendSnapshot(nil, head, &w),
			"0000" + keyRest + "/ 0000 00000001 00000002 00000003 0000000000000006 0000000000000004 0000000000000005" + batches, head},
		{Update, AppendUpdateKey(nil, key), AppendUpdate(nil, head, &w),
			"0001" + keyRest + "/ 0000 00000001 00000003 0000000000000006" + batches, Header{SnapshotEpoch: 1, LeaderEpoch: 3}},
	} {
		if got, want := hex.EncodeToString(c.key)+"/"+hex.EncodeToString(c.value), strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("written:\n%s, want\n%s", got, want)
		}
		kind, k, h, read, err := Decode(c.key, c.value)
		if kind != c.kind || k != key || h != c.head || !reflect.DeepEqual(read, w) || err != nil {
			t.Errorf("read: %v %v %v %+v %v", kind, k, h, read, err)
		}
	}
	if kind, k, _, _, err := Decode(AppendSnapshotKey(nil, key), nil); kind != Tombstone || k != key || err != nil {
		t.Errorf("tombstone: %v %v %v", kind, k, err)
	}
}

// Kafka's own records, without the tagged field, and with others that are not known.
func TestRecordsOfKafka(t *testing.T) {
	t.Parallel()
	b, _ := hex.DecodeString(strings.ReplaceAll("0000 00000001 00000003 0000000000000006 02 0000000000000008 0000000000000009 04 0002 01 05 02 ffff 00", " ", ""))
	kind, _, _, w, err := Decode(AppendUpdateKey(nil, Key{Group: "g"}), b)
	if want := (Write{Start: 6, Batches: []Entry{{First: 8, Last: 9, State: Archived, Acquired: 2}}}); kind != Update || err != nil || !reflect.DeepEqual(w, want) {
		t.Errorf("%v %+v %v", kind, w, err)
	}
	if kind, _, _, _, err := Decode([]byte{0, 2}, nil); kind != Unknown || err != nil {
		t.Errorf("a kind of later: %v %v", kind, err)
	}
	if kind, _, _, _, err := Decode(AppendUpdateKey(nil, Key{}), []byte{0, 1, 9}); kind != Unknown || err != nil {
		t.Errorf("a version of later: %v %v", kind, err)
	}
}

// Whatever the bytes are, nothing breaks, and what is read can be written and read.
func FuzzDecode(f *testing.F) {
	w := Write{Start: 6, Done: 9, Batches: []Entry{{First: 8, Last: 9, Acquired: 1, Failed: 1, Member: "m", Lock: 5}}}
	f.Add(AppendSnapshotKey(nil, worldKey), AppendSnapshot(nil, Header{}, &w))
	f.Add(AppendUpdateKey(nil, worldKey), AppendUpdate(nil, Header{}, &w))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		kind, k, h, w, err := Decode(key, value)
		if err != nil || kind == Unknown || kind == Tombstone {
			return
		}
		again := AppendUpdate(nil, h, &w)
		if kind == Snapshot {
			again = AppendSnapshot(nil, h, &w)
		}
		_, k2, h2, w2, err := Decode(key, again)
		if err != nil || k2 != k || h2 != h || !reflect.DeepEqual(w2, w) {
			t.Errorf("%+v %+v is read as %+v %+v: %v", h, w, h2, w2, err)
		}
		p := Restore(DefaultConfig(), worldTime, w)
		p.Replay(w)
		for i := range p.runs {
			if r := &p.runs[i]; r.last < r.first || i > 0 && p.runs[i-1].last+1 != r.first {
				t.Errorf("%+v: runs %+v", w, p.runs)
			}
		}
	})
}
