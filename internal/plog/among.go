package plog

import (
	"sync/atomic"

	"github.com/leatdev/leat/internal/sched"
)

// workers is how many goroutines share what a recovery does to many logs: most of it is
// looking for files and opening them, in the kernel.
const workers = 4

// manyLogs is from how many on that pays.
const manyLogs = 64

// among calls do with each number below n and the number of the worker that it runs on
// (below workers): in order on the caller's goroutine when they are few, else on several
// goroutines in about that order. It returns when all calls have; the error is the first
// one's, and after an error no call begins.
func among(n int, do func(worker, i int) error) error {
	if n < manyLogs {
		for i := range n {
			if err := do(0, i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var failed atomic.Bool
	var errs [workers]error
	var done sched.WaitGroup
	for w := range workers {
		done.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && !failed.Load(); i = next.Add(1) - 1 {
				if errs[w] = do(w, int(i)); errs[w] != nil {
					failed.Store(true)
					return
				}
			}
		})
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
