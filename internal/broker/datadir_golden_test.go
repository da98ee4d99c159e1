package broker

import (
	"encoding/json"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// meta.json of format 1, as it was on the day it was made.
const goldenMeta = `{
  "version": 1,
  "cluster_id": "MkU3OEVBNTcwNTJENDM2Qk",
  "salt": 18446744073709551615,
  "boots": 7
}
`

func TestMetaGolden(t *testing.T) {
	t.Parallel()
	want := meta{Version: 1, ClusterID: "MkU3OEVBNTcwNTJENDM2Qk", Salt: 1<<64 - 1, Boots: 7}
	fs := vfs.NewMem()
	if err := writeMeta(fs, "/", want); err != nil {
		t.Fatal(err)
	}
	b, err := vfs.ReadFile(fs, "/meta.json")
	if err != nil || string(b) != goldenMeta {
		t.Errorf("written as %s (%v): a change needs a new version and a way to read the old one", b, err)
	}
	if m, err := readMeta(fs, "/"); err != nil || m != want {
		t.Errorf("read as %+v, %v", m, err)
	}
}

// Whatever stands in meta.json: it is read and comes back the same, or refused.
func FuzzMeta(f *testing.F) {
	f.Add([]byte(goldenMeta))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"cluster_id":"x","boots":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := vfs.NewMem()
		file, err := fs.Create("/meta.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(data, 0); err != nil {
			t.Fatal(err)
		}
		m, err := readMeta(fs, "/")
		if err != nil {
			return
		}
		if m.Version != metaVersion || m.ClusterID == "" || m.Boots < 0 || !json.Valid(data) {
			t.Fatalf("%q was taken for %+v", data, m)
		}
		if err := writeMeta(fs, "/", m); err != nil {
			t.Fatal(err)
		}
		if again, err := readMeta(fs, "/"); err != nil || again != m {
			t.Fatalf("%+v came back as %+v, %v", m, again, err)
		}
	})
}
