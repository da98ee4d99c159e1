package broker

import (
	"encoding/json"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// meta.json of format 1, as it was on the day it was made, and since it has a sum.
const (
	goldenMetaWithoutSum = `{
  "version": 1,
  "cluster_id": "MkU3OEVBNTcwNTJENDM2Qk",
  "salt": 18446744073709551615,
  "boots": 7
}
`
	goldenMeta = `{
  "version": 1,
  "cluster_id": "MkU3OEVBNTcwNTJENDM2Qk",
  "salt": 18446744073709551615,
  "boots": 7,
  "sum": "a6f96d38"
}
`
)

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
	for _, text := range []string{goldenMeta, goldenMetaWithoutSum} {
		if err := vfs.ReplaceFile(fs, "/meta.json", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if m, err := readMeta(fs, "/"); err != nil || m != want {
			t.Errorf("read as %+v, %v", m, err)
		}
	}
}

// Whatever bit flips: what is read is what was written, or it is refused.
func TestMetaFlips(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	if err := vfs.ReplaceFile(fs, "/meta.json", []byte(goldenMeta)); err != nil {
		t.Fatal(err)
	}
	want, err := readMeta(fs, "/")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for bit := range 8 * len(goldenMeta) {
		b := []byte(goldenMeta)
		b[bit/8] ^= 1 << (bit % 8)
		if err := vfs.ReplaceFile(fs, "/meta.json", b); err != nil {
			t.Fatal(err)
		}
		m, err := readMeta(fs, "/")
		switch {
		case err != nil:
			refused++
		case m != want:
			t.Errorf("bit %d: %q was taken for %+v", bit, b, m)
		}
	}
	if refused < len(goldenMeta) {
		t.Errorf("%d flips were refused, of %d", refused, 8*len(goldenMeta))
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
