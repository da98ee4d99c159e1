package fanout

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestEachCallsAllAndNeverMoreThanTheLimitAtOnce(t *testing.T) {
	for _, limit := range []int{-1, 0, 1, 3, 50} {
		synctest.Test(t, func(t *testing.T) {
			const n = 20
			var running, most atomic.Int64
			var calls [n]atomic.Int64
			gate := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				Each(n, limit, func(i int) {
					most.Store(max(most.Load(), running.Add(1)))
					calls[i].Add(1)
					<-gate
					running.Add(-1)
				})
			}()
			synctest.Wait() // as many as may run are now waiting at the gate
			if want := int64(max(1, min(limit, n))); most.Load() != want {
				t.Errorf("limit %d: %d ran at once, want %d", limit, most.Load(), want)
			}
			close(gate)
			<-done
			for i := range calls {
				if got := calls[i].Load(); got != 1 {
					t.Errorf("limit %d: fn(%d) called %d times", limit, i, got)
				}
			}
		})
	}
}
