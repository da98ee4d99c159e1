package flow

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// Whatever stands in a row, the row can be read.
func TestPartsLeaveRoomForTheRow(t *testing.T) {
	nested := func(depth int) []byte { return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth)) }
	for _, depth := range []int{1, 5_000, 9_998, 9_999, 10_000, 10_001} {
		raw, err := inRow(pipeline.JSON, nested(depth))
		if err == nil && !json.Valid([]byte(`{"message":`+string(raw)+`}`)) {
			t.Errorf("a value of %d levels makes a row that cannot be read", depth)
		}
		if err != nil && (depth < deepest || worker.ClassOf(err) != worker.Poison) {
			t.Errorf("a value of %d levels: %v", depth, err)
		}
	}
}
