package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var quick = Retry{Attempts: 3, Min: 10 * time.Millisecond, Max: 200 * time.Millisecond}

// has tells whether a batch contains a value.
func has(ms []*Message, value string) bool {
	return slices.ContainsFunc(ms, func(m *Message) bool { return string(m.Value) == value })
}

// Of a batch in which one record makes the server answer 500 every time, the others
// come out and that one is dead-lettered; nobody else used up an attempt. The same
// when it panics, and at once when the whole batch is answered with 400.
func TestBatchThatFailsWholeIsSplit(t *testing.T) {
	for _, c := range []struct {
		name     string
		guilty   []string
		fail     func() error
		attempts int // calls of a guilty record alone
		class    string
	}{
		{"500 for one", []string{"13"}, func() error { return NewError(Retriable, errors.New("status 500")) }, 3, "retriable"},
		{"500 for the first", []string{"0"}, func() error { return NewError(Retriable, errors.New("status 500")) }, 3, "retriable"},
		{"500 for the last two", []string{"30", "31"}, func() error { return NewError(Retriable, errors.New("status 500")) }, 3, "retriable"},
		{"400 for one", []string{"13"}, func() error { return NewError(Poison, errors.New("status 400")) }, 1, "poison"},
		{"panic", []string{"13"}, func() error { panic("index out of range") }, 3, "retriable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 1, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
				b.put(numbered("in", 32, 32, 1)...)
				var mu sync.Mutex
				alone := map[string]int{}
				calls := 0
				r := b.start(Config{Batch: Batch{Max: 32, Wait: time.Second}, Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"},
					Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
						mu.Lock()
						calls++
						if calls == 1 && len(ms) != 32 {
							t.Errorf("the first batch has %d records; the test does not test", len(ms))
						}
						if len(ms) == 1 {
							alone[string(ms[0].Value)]++
						}
						mu.Unlock()
						for _, g := range c.guilty {
							if has(ms, g) {
								return nil, c.fail()
							}
						}
						return echo(ms), nil
					})})
				b.until("everything is committed", func() bool { return b.committed("g") == 32 })
				if err := r.stopped(); err != nil {
					t.Fatal(err)
				}
				if n := b.count("out"); n != 32-len(c.guilty) {
					t.Errorf("%d came out", n)
				}
				dead := b.all("dlq")
				if len(dead) != len(c.guilty) {
					t.Fatalf("%d dead letters", len(dead))
				}
				for _, d := range dead {
					if !slices.Contains(c.guilty, string(d.Value)) || header(d, HeaderDLQClass) != c.class {
						t.Errorf("dead letter %s of class %s", d.Value, header(d, HeaderDLQClass))
					}
					if got := header(d, HeaderDLQDeliveryCount); got != fmt.Sprint(c.attempts) || alone[string(d.Value)] != c.attempts {
						t.Errorf("%s attempts in the header, %d calls alone, want %d", got, alone[string(d.Value)], c.attempts)
					}
				}
				for v, n := range alone {
					if n > 1 && !slices.Contains(c.guilty, v) {
						t.Errorf("innocent record %s was called alone %d times", v, n)
					}
				}
			})
		})
	}
}

// Records that fail again and again while others pass are given up, also when they
// come alone, one after the other, at the end of the stream.
func TestGuiltyRecordsAtTheEndAreDeadLettered(t *testing.T) {
	for guilty := 1; guilty <= 4; guilty++ {
		t.Run(fmt.Sprint(guilty), func(t *testing.T) {
			inBubble(t, 1, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
				r := b.start(Config{Concurrency: 2, Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
					if string(ms[0].Value) >= fmt.Sprint(10-guilty) {
						return nil, NewError(Retriable, errors.New("status 500"))
					}
					return echo(ms), nil
				})})
				for _, rec := range numbered("in", 10, 10, 1) {
					b.put(rec)
					<-time.After(time.Second)
				}
				b.until("everything is committed", func() bool { return b.committed("g") == 10 })
				if err := r.stopped(); err != nil {
					t.Fatal(err)
				}
				if out, dead := b.count("out"), b.count("dlq"); out != 10-guilty || dead != guilty {
					t.Errorf("%d out, %d dead", out, dead)
				}
			})
		})
	}
}

// The same few records, but it is the backend that fails: whoever is asked, nobody
// passes, so nothing is dead-lettered however long it takes.
func TestFewRecordsDuringAnOutageAreKept(t *testing.T) {
	inBubble(t, 1, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
		var down atomic.Bool
		r := b.start(Config{Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			if down.Load() {
				return nil, NewError(Retriable, errors.New("status 503"))
			}
			return echo(ms), nil
		})})
		rs := numbered("in", 3, 3, 1)
		b.put(rs[0])
		b.until("the first is committed", func() bool { return b.committed("g") == 1 })
		down.Store(true)
		b.put(rs[1])
		b.cluster.Pass(10 * time.Minute)
		b.put(rs[2])
		b.cluster.Pass(10 * time.Minute)
		if s := r.Status(); s.State != StatePaused || s.DeadLetters != 0 {
			t.Errorf("after twenty minutes: %+v", s)
		}
		down.Store(false)
		b.until("everything is committed", func() bool { return b.committed("g") == 3 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out, dead := b.count("out"), b.count("dlq"); out != 3 || dead != 0 {
			t.Errorf("%d out, %d dead", out, dead)
		}
	})
}

// When everything fails, it is the backend: the worker pauses, says so, uses up no
// attempts and dead-letters nothing, however long it takes and however the failure
// looks; then it goes on by itself. While it pauses it asks with one record at a
// time and ever less often.
func TestBackendDownPausesTheWorker(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		reason PauseReason
	}{
		{"refused", NewError(Outage, errors.New("connection refused")), PauseOutage},
		{"500 for everything", NewError(Retriable, errors.New("status 500")), PauseFailing},
		{"come back later", &Error{Class: Retriable, Err: errors.New("status 429"), RetryAfter: 7 * time.Second}, PauseRetryAfter},
	} {
		for _, batch := range []int{1, 32} {
			if c.reason == PauseRetryAfter && batch == 1 {
				continue // of a lone record it is that record's wait
			}
			t.Run(fmt.Sprintf("%s, batches of %d", c.name, batch), func(t *testing.T) {
				inBubble(t, 2, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
					const n = 300
					var down atomic.Bool
					var mu sync.Mutex
					var probes []int
					r := b.start(Config{Concurrency: 4, Batch: Batch{Max: batch}, Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"},
						Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
							<-time.After(10 * time.Millisecond)
							if down.Load() {
								mu.Lock()
								probes = append(probes, len(ms))
								mu.Unlock()
								return nil, c.err
							}
							return echo(ms), nil
						})})
					b.put(numbered("in", n, 50, 2)...)
					b.until("something passes", func() bool { return b.committed("g") > 20 })
					down.Store(true)
					b.put(numbered("in", n, 50, 2)...)
					b.until("it pauses", func() bool { return r.Status().State == StatePaused })
					since := time.Now()
					b.cluster.Pass(time.Minute)
					b.until("it asks again and again", func() bool { mu.Lock(); defer mu.Unlock(); return len(probes) >= 12 })
					s := r.Status()
					if s.State != StatePaused || s.Pause.Reason != c.reason && s.Pause.Reason != PauseFailing || s.Pause.Since.After(since) || s.Pause.Err == "" {
						t.Errorf("status after a minute: %+v %+v", s, s.Pause)
					}
					mu.Lock()
					late := probes[len(probes)-5:]
					if slices.Max(late) > 1 {
						t.Errorf("probes of %v records", late)
					}
					if len(probes) > 600 { // a minute at 200 ms less jitter is about 330
						t.Errorf("%d calls in a minute of outage", len(probes))
					}
					mu.Unlock()
					down.Store(false)
					b.until("everything is committed", func() bool { return b.committed("g") == 2*n })
					if err := r.stopped(); err != nil {
						t.Fatal(err)
					}
					if out, dead := b.count("out"), b.count("dlq"); out != 2*n || dead != 0 {
						t.Errorf("%d of %d out, %d dead", out, 2*n, dead)
					}
				})
			})
		}
	}
}

// A worker that has never seen anything pass pauses, too, on its only record; when
// another record passes, the first is found guilty.
func TestFirstRecordEverFails(t *testing.T) {
	inBubble(t, 1, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
		r := b.start(Config{Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			if has(ms, "0") {
				return nil, NewError(Retriable, errors.New("status 500"))
			}
			return echo(ms), nil
		})})
		rs := numbered("in", 2, 2, 1)
		b.put(rs[0])
		b.until("it pauses", func() bool { return r.Status().State == StatePaused })
		b.cluster.Pass(time.Minute)
		if n := b.count("dlq"); n != 0 {
			t.Fatalf("%d dead letters while nothing ever passed", n)
		}
		b.put(rs[1])
		b.until("both are committed", func() bool { return b.committed("g") == 2 })
		if out, dead := b.count("out"), b.count("dlq"); out != 1 || dead != 1 {
			t.Errorf("%d out, %d dead", out, dead)
		}
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
	})
}

// RetryAfter of one record is waited for in full.
func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		b.cluster.ExactTime(t)
		var calls []time.Time
		r := b.start(Config{Retry: quick, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			calls = append(calls, time.Now())
			if len(calls) == 1 {
				return nil, &Error{Class: Retriable, Err: errors.New("status 429"), RetryAfter: 30 * time.Second}
			}
			return echo(ms), nil
		})})
		b.put(numbered("in", 1, 1, 1)...)
		b.until("it is committed", func() bool { return b.committed("g") == 1 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if len(calls) != 2 || calls[1].Sub(calls[0]) < 30*time.Second {
			t.Errorf("calls at %v", calls)
		}
	})
}

// A whole batch that is told to come back later is not taken apart: one call, then
// a pause as long as asked for, then one record to ask with.
func TestBatchToldToComeBackLaterIsNotSplit(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		b.cluster.ExactTime(t)
		b.put(numbered("in", 32, 32, 1)...)
		var mu sync.Mutex
		var at []time.Time
		var sizes []int
		r := b.start(Config{Batch: Batch{Max: 32}, Retry: quick, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			mu.Lock()
			defer mu.Unlock()
			at, sizes = append(at, time.Now()), append(sizes, len(ms))
			if len(at) == 1 {
				return nil, &Error{Class: Retriable, Err: errors.New("status 429"), RetryAfter: 30 * time.Second}
			}
			return echo(ms), nil
		})})
		b.until("it pauses", func() bool { s := r.Status(); return s.Pause != nil && s.Pause.Reason == PauseRetryAfter })
		b.until("everything is committed", func() bool { return b.committed("g") == 32 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(sizes, []int{32, 1, 31}) || at[1].Sub(at[0]) != 30*time.Second {
			t.Errorf("calls of %v records, the second after %v", sizes, at[1].Sub(at[0]))
		}
	})
}

// What cannot go on stops Run with a reason, and commits nothing that is not done.
func TestRunStopsWithAReason(t *testing.T) {
	fail := func(err error) HandlerFunc {
		return func(_ context.Context, ms []*Message) ([]Outcome, error) {
			if has(ms, "5") {
				return nil, err
			}
			return echo(ms), nil
		}
	}
	for _, c := range []struct {
		name    string
		cfg     Config
		says    string
		limited bool
	}{
		{"fatal", Config{Handler: fail(NewError(Fatal, errors.New("no such model")))}, "no such model", false},
		{"poison and no dead-letter topic", Config{Handler: fail(NewError(Poison, errors.New("bad")))}, "no dead-letter topic", false},
		{"dead-letter topic is missing", Config{Handler: fail(NewError(Poison, errors.New("bad"))), DeadLetter: DeadLetter{Topic: "nowhere"}}, `dead-letter topic "nowhere"`, false},
		{"too few outcomes", Config{Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			if has(ms, "5") {
				return nil, nil
			}
			return echo(ms), nil
		})}, "exactly one per message", false},
		{"zero outcome", Config{Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			if has(ms, "5") {
				return make([]Outcome, len(ms)), nil
			}
			return echo(ms), nil
		})}, "zero Outcome", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
				b.put(numbered("in", 10, 1, 1)...)
				r := b.start(c.cfg)
				err := r.ended()
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Run returned %v; it should say %q", err, c.says)
				}
				if n := b.committed("g"); n != 5 {
					t.Errorf("%d are committed; 5 were done before the one that failed", n)
				}
			})
		})
	}
}
