package trim

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

var sink [][]byte

// What comes soon after it has let go, and makes no collection, is let go of, too. (The
// first test: it needs a process that has not collected yet.)
func TestLooksOnceMore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer func() { sink = nil }()
	released := make(chan struct{})
	tr := start(100*time.Millisecond, func() { released <- struct{}{} })
	defer tr.Stop()
	<-released
	// It comes a little at a time: some of it after the first look is over.
	more := time.NewTicker(10 * time.Millisecond)
	defer more.Stop()
	for range 1000 {
		select {
		case <-released:
			return
		case <-more.C:
			sink = append(sink, make([]byte, 1<<20))
		}
	}
	t.Error("nothing was let go of")
}

// It lets go once after a start, and again when there was something to do: not for the
// collections that letting go consists of.
func TestLetsGoWhenALoadHasEnded(t *testing.T) {
	released := make(chan struct{})
	tr := start(time.Millisecond, func() { released <- struct{}{} })
	defer tr.Stop()
	select {
	case <-released:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was let go of after the start")
	}
	end := time.Now().Add(20 * time.Second)
	for load := range 3 {
		for again := false; !again; {
			sink = append(sink, make([]byte, 1<<20))
			for i := range sink[len(sink)-1] {
				sink[len(sink)-1][i] = byte(load)
			}
			select {
			case <-released:
				again = true
			default:
			}
			if time.Now().After(end) {
				t.Fatalf("load %d: nothing was let go of", load)
			}
		}
		sink = nil
	}
}

func TestWhatACollectionMeans(t *testing.T) {
	t.Parallel()
	var w watch
	if !w.worthwhile(state{held: 10 << 20}) {
		t.Error("nothing to let go of after the start")
	}
	w.held = 8 << 20
	for _, c := range []struct {
		what string
		now  state
		want bool
	}{
		{"the first", state{collections: 1}, true},
		{"one that was asked for", state{collections: 1}, false},
		{"another", state{collections: 2}, true},
	} {
		if got := w.activity(c.now); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if w.worthwhile(state{held: 9 << 20}) || !w.worthwhile(state{held: 10 << 20}) {
		t.Error("2 MiB are the least to let go of")
	}
}

func TestStopTwice(t *testing.T) {
	t.Parallel()
	tr := Start(nil)
	tr.Stop()
	tr.Stop()
	runtime.GC() // the last sentinel
}
