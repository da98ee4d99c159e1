package traffic

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Place is where a record lies in its topic.
type Place struct {
	Partition int32
	Offset    int64
}

// ID says which record it is: whose, and the how manyth of that producer's.
type ID struct {
	Producer string
	N        int
}

func (id ID) String() string { return fmt.Sprintf("%s %d", id.Producer, id.N) }

// padding is what records are filled up with; it cannot be compressed.
var padding = func() []byte {
	b := make([]byte, 2<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b)
	return b
}()

// MaxSize is how many bytes a record can be filled up with.
const MaxSize = 1 << 20

// value is the record's content, from which all of it can be checked.
func (id ID) value(size int) []byte {
	b := fmt.Appendf(make([]byte, 0, size+40), "%s %d %d|", id.Producer, id.N, size)
	return append(b, fill(id.N, size)...)
}

func fill(n, size int) []byte {
	from := n * 7919 % (len(padding) - MaxSize)
	return padding[from : from+size]
}

// parse checks a record's content and says which one it is.
func parse(value []byte) (ID, error) {
	var id ID
	var size int
	head, rest, ok := bytes.Cut(value, []byte("|"))
	if !ok {
		return id, fmt.Errorf("a value of %d bytes that is nobody's: %.40q", len(value), value)
	}
	if _, err := fmt.Sscanf(string(head), "%s %d %d", &id.Producer, &id.N, &size); err != nil {
		return id, fmt.Errorf("a value that is nobody's: %.40q: %w", head, err)
	}
	if len(rest) != size || size > MaxSize || !bytes.Equal(rest, fill(id.N, size)) {
		return id, fmt.Errorf("the record %v has changed: %d bytes of %d", id, len(rest), size)
	}
	return id, nil
}

func placeOf(r *kgo.Record) Place { return Place{r.Partition, r.Offset} }
