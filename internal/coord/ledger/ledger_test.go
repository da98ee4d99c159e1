package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// told collects who was called with what.
type told []string

func (t *told) as(name string) func(error) {
	return func(err error) { *t = append(*t, fmt.Sprint(name, " ", err)) }
}

func (t *told) want(test *testing.T, want ...string) {
	test.Helper()
	if !slices.Equal(*t, want) {
		test.Errorf("%q, want %q", *t, want)
	}
	*t = nil
}

func TestLedger(t *testing.T) {
	var l Ledger[string]
	var got told
	l.When(0, got.as("nothing was written"))
	got.want(t, "nothing was written <nil>")
	for _, w := range []string{"a", "b", "c"} {
		l.Add(w, got.as(w))
	}
	l.WhenSince(l.Last(), got.as("since"))
	got.want(t, "since <nil>")
	l.WhenSince(l.Last()-1, got.as("since c"))
	l.When(2, got.as("shows b"))
	l.When(3, got.as("shows c"))
	l.When(1, got.as("shows a"))
	if !slices.Equal(slices.Collect(l.Held()), []uint64{1, 2, 3}) {
		t.Error("held out of order")
	}
	refuse := errors.New("refused")
	if about, refused, ok := l.Appended(1, nil); about != "a" || refused != nil || !ok {
		t.Error(about, ok)
	}
	about, refused, ok := l.Appended(3, refuse)
	if about != "c" || !ok {
		t.Fatal(about, ok)
	}
	got.want(t)
	refused(refuse)
	got.want(t, "c refused", "since c refused")
	if _, _, ok := l.Appended(3, nil); ok {
		t.Error("appended twice")
	}
	if f := maps.Collect(l.Flying()); len(f) != 2 || f[1] != "a" || f[2] != "b" {
		t.Error(f)
	}
	l.Settle(1, nil)
	got.want(t, "a <nil>", "shows a <nil>")
	// What c would have shown cannot be told apart from what b shows any more.
	l.When(3, got.as("shows what c was to change"))
	lost := errors.New("lost")
	l.Settle(0, lost)
	got.want(t, "b lost", "shows b lost", "shows what c was to change lost", "shows c lost")
	l.Settle(9, nil)
	if l.Durable() != 1 || l.Failed() != lost || l.Last() != 3 {
		t.Error(l.Durable(), l.Failed(), l.Last())
	}
	l.When(1, got.as("a is on disk"))
	l.When(2, got.as("b is not"))
	got.want(t, "a is on disk <nil>", "b is not lost")
}

func TestCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int16
	}{
		{nil, 0},
		{errors.New("anything"), kerr.UnknownServerError.Code},
		{fmt.Errorf("%w: the disk", kerr.KafkaStorageError), kerr.NotCoordinator.Code},
		{kerr.NotLeaderForPartition, kerr.NotCoordinator.Code},
		{kerr.RequestTimedOut, kerr.CoordinatorNotAvailable.Code},
		{kerr.MessageTooLarge, kerr.UnknownServerError.Code},
		{kerr.PolicyViolation, kerr.PolicyViolation.Code},
	} {
		if got := Code(c.err); got != c.want {
			t.Errorf("%v: %d", c.err, got)
		}
	}
}
