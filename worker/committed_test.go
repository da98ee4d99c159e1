package worker

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The coordinator of a cluster's first group is not there at once; what a group
// has committed is asked for again until it is, and not for ever.
func TestCommittedWaitsForTheCoordinator(t *testing.T) {
	inBubble(t, 1, []string{"in"}, func(t *testing.T, b *bench) {
		fake := b.cluster.Fake(t)
		if got, err := Committed(t.Context(), b.adm, "nobody"); len(got) != 0 || err != nil {
			t.Errorf("of a group that is not there: %v, %v", got, err)
		}
		at := kadm.Offsets{}
		at.AddOffset("in", 0, 7, -1)
		if err := b.adm.CommitAllOffsets(t.Context(), "g", at); err != nil {
			t.Fatal(err)
		}
		fresh := func() *kadm.Client { // that knows no coordinator yet
			cl := b.client()
			t.Cleanup(cl.Close)
			return kadm.NewClient(cl)
		}
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 5})
		got, err := Committed(t.Context(), fresh(), "g")
		if o, ok := got.Lookup("in", 0); err != nil || !ok || o.At != 7 {
			t.Errorf("%v, %v", got, err)
		}
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: -1})
		if _, err := Committed(t.Context(), fresh(), "g"); !errors.Is(err, kerr.CoordinatorNotAvailable) {
			t.Errorf("a coordinator that never comes: %v", err)
		}
	})
}
