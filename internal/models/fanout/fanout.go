// Package fanout calls a function for each of n things, some at once.
package fanout

import (
	"sync"
	"sync/atomic"
)

// Each calls fn(0) to fn(n-1), at most limit of them at once (less than one
// counts as one), and returns when all have returned. It starts them in order.
func Each(n, limit int, fn func(i int)) {
	limit = min(limit, n)
	if limit <= 1 {
		for i := range n {
			fn(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range limit {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				fn(i)
			}
		})
	}
	wg.Wait()
}
