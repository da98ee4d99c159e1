package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
)

// fill sets every field of v to something, arrays to up to three elements.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(100))
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.String:
		v.SetString("text"[:r.IntN(5)])
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case f.Type == reflect.TypeFor[kmsg.Tags]():
				if r.IntN(3) == 0 {
					v.Field(i).Addr().Interface().(*kmsg.Tags).Set(uint32(20+r.IntN(3)), []byte("unknown tag"))
				}
			case f.Name != "Version" && f.IsExported():
				fill(r, v.Field(i))
			}
		}
	}
}

// randomBody is a request of that key and version as a client would send it.
func randomBody(r *rand.Rand, key, version int16) []byte {
	req := kmsg.RequestForKey(key)
	fill(r, reflect.ValueOf(req).Elem())
	req.SetVersion(version)
	return req.AppendTo(nil)
}

// Every shape agrees with kmsg's encoding, in every version: whatever kmsg writes
// is the whole body, also when more follows, and a byte fewer is none.
func TestShapesAgreeWithKmsg(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, v := range kafka.Versions {
		for version := v.Min; version <= v.Max; version++ {
			for range 300 {
				body := randomBody(r, v.Key, version)
				for more := range 2 {
					if got, err := bodyIn(v.Key, version, append(body, make([]byte, more)...)); err != nil || !bytes.Equal(got, body) {
						t.Fatalf("%s v%d: %v\n%x, of which is taken\n%x", v.Name, version, err, body, got)
					}
				}
				if len(body) > 0 {
					if _, err := bodyIn(v.Key, version, body[:len(body)-1]); err == nil {
						t.Fatalf("%s v%d passes with a byte too few\n%x", v.Name, version, body)
					}
				}
			}
		}
	}
}

// One table: what is served has a version row and a shape.
func TestHandlersHaveVersionsAndShapes(t *testing.T) {
	t.Parallel()
	for key := range handlers {
		if _, ok := kafka.VersionsOf(key); !ok {
			t.Errorf("key %d has a handler and no row in kafka.Versions", key)
		}
		if _, ok := shapes[key]; !ok {
			t.Errorf("key %d has a handler and no shape", key)
		}
	}
	for key := range shapes {
		if _, ok := kafka.VersionsOf(key); !ok {
			t.Errorf("key %d has a shape and no row in kafka.Versions", key)
		}
	}
	for _, v := range kafka.Versions {
		if handlers[v.Key] == nil {
			t.Errorf("%s has a row in kafka.Versions and no handler", v.Name)
		}
	}
}

func TestBodyInRefuses(t *testing.T) {
	t.Parallel()
	u32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	big := binary.AppendUvarint(nil, 1<<32-1)
	deep := append(binary.AppendUvarint(nil, maxElements+2), make([]byte, 40*maxElements)...)
	for _, c := range []struct {
		name         string
		key, version int16
		body         []byte
		want         error
	}{
		{"array longer than the frame", 3, 0, u32(1000), errCutShort},
		{"negative array", 3, 0, u32(1<<32 - 2), errNegative},
		{"string longer than the frame", 3, 0, append(u32(1), 0x7f, 0xff, 'a'), errCutShort},
		{"negative string", 3, 0, append(u32(1), 0xff, 0xfe), errNegative},
		{"too many elements", 3, 12, deep, errElements},
		{"varint without end", 3, 12, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, errBadVarint},
		{"tagged field beyond the end", 18, 3, []byte{2, 'a', 2, 'b', 1, 9, 200}, errCutShort},
		{"unknown key", 99, 0, nil, errUnknownKey},
		// kmsg would turn four billion times for this one.
		{"four billion tagged fields", 18, 3, append([]byte{2, 'a', 2, 'b'}, big...), errCutShort},
	} {
		if _, err := bodyIn(c.key, c.version, c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A tagged field's own content is walked, too.
func TestBodyInLooksIntoTaggedFields(t *testing.T) {
	t.Parallel()
	req := kmsg.NewPtrFetchRequest()
	req.Version = 12
	req.ClusterID = kmsg.StringPtr("cluster")
	body := req.AppendTo(nil)
	if _, err := bodyIn(1, 12, body); err != nil {
		t.Fatal(err)
	}
	// The last bytes are: one tag, number 0, size 8, compact length 8, "cluster".
	body[len(body)-8] = 50
	if _, err := bodyIn(1, 12, body); !errors.Is(err, errCutShort) {
		t.Errorf("a string that leaves its tagged field: %v", err)
	}
}

// FuzzRequest feeds frames to the decoder of every key. It must neither panic nor
// hang, and what it accepts must be whole.
func FuzzRequest(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, v := range kafka.Versions {
		for _, version := range []int16{v.Min, v.Max} {
			f.Add(append(head(v.Key, version), randomBody(r, v.Key, version)...))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < minFrame {
			return
		}
		h, rest := parseHead(frame, "")
		v, ok := kafka.VersionsOf(h.key)
		if !ok || h.version < v.Min || h.version > v.Max {
			return
		}
		req, err := decode(&h, rest)
		if err != nil {
			return
		}
		body := req.AppendTo(nil)
		if got, err := bodyIn(h.key, h.version, body); err != nil || len(got) < len(body) {
			t.Errorf("accepted, but what it says is not a request: %v", err)
		}
	})
}

// head is a request header, with client id "c".
func head(key, version int16) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 7, 0, 1, 'c')
	req := kmsg.RequestForKey(key)
	if req.SetVersion(version); req.IsFlexible() {
		b = append(b, 0)
	}
	return b
}
