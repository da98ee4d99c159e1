package worker

import "time"

// breaker decides whose fault a failure is: the record's or the backend's. It is
// pure: calls' results and times go in, verdicts come out. The rule and its reasons
// are in docs/decisions/worker-failures.md; in short:
//
//  1. A record whose failure stands alone is a suspect while nobody else has passed
//     since it first failed.
//  2. Two suspects at once, or one whose attempts are used up: everything fails, the
//     breaker opens. No attempt is used up while it is open; one record at a time
//     is tried until one passes.
//  3. A record that others have overtaken (they passed since it first failed) is
//     guilty: its failures count, and the last attempt ends in the dead-letter topic.
//  4. When all that waits has been tried often enough, the witness is asked: the last
//     record that passed, again. If it passes still, the others are guilty.
type breaker struct {
	retry Retry

	open    bool
	reason  PauseReason
	since   time.Time
	err     error
	next    time.Time // next probe
	probes  int       // failed since it opened
	probing bool      // a probe is out

	tick     uint64 // counts what is told below, so that "since" needs no clock
	passed   uint64 // tick of the latest success
	suspects map[*Message]struct{}
	witness  *Message // of the latest success
	heard    bool     // the witness was the latest probe
}

// suspectsToOpen is how many different records must fail on their own, with no
// success in between, for the failure to be everybody's.
const suspectsToOpen = 2

// verdict is what becomes of a record that failed on its own.
type verdict int

const (
	tryAgain   verdict = iota + 1 // after its back-off, one attempt used
	waitOut                       // when the worker goes on, no attempt used
	deadLetter                    // attempts used up
)

// pass tells that the backend has processed some record; m, if not nil, can stand
// as a witness.
func (b *breaker) pass(m *Message) {
	b.tick++
	b.passed = b.tick
	if m != nil {
		b.witness = m
	}
	clear(b.suspects)
	b.open, b.probes, b.err = false, 0, nil
}

// failTogether tells that a call of several records failed as a whole: nobody is
// blamed yet, but what passes from now on passes after these.
func (b *breaker) failTogether(ms []*Message, now time.Time) {
	b.tick++
	for _, m := range ms {
		b.noteFirst(m, now)
	}
}

func (b *breaker) noteFirst(m *Message, now time.Time) {
	if m.firstFail == 0 {
		m.firstFail, m.firstFailAt = b.tick, now
	}
	m.lastFailAt = now
}

// failAlone judges a failure of class Retriable that is m's own: it was the only
// record of its call, or the handler said so. strict records are never given up.
func (b *breaker) failAlone(m *Message, err error, strict bool, now time.Time) verdict {
	b.tick++
	b.noteFirst(m, now)
	if b.open {
		b.probeFailed(err, now)
		return waitOut
	}
	if overtaken := b.passed > m.firstFail; !overtaken {
		if b.suspects == nil {
			b.suspects = map[*Message]struct{}{}
		}
		b.suspects[m] = struct{}{}
		if len(b.suspects) >= suspectsToOpen {
			b.trip(PauseFailing, err, b.backoff(0), now)
			return waitOut
		}
		if !strict && m.attempts+1 >= b.retry.Attempts {
			b.trip(PauseFailing, err, b.backoff(m.attempts), now)
			return waitOut
		}
	}
	m.attempts++
	if !strict && m.attempts >= b.retry.Attempts {
		delete(b.suspects, m)
		return deadLetter
	}
	return tryAgain
}

// askWitness tells whether the next probe is to go to the witness instead of m, the
// waiting record that was tried least: m was tried as often as a guilty one would
// be, and it is the witness's turn.
func (b *breaker) askWitness(m *Message) bool {
	b.heard = !b.heard && b.reason == PauseFailing && b.witness != nil && m.attempts+m.probes > b.retry.Attempts
	return b.heard
}

// outage tells of a failure that every record would meet.
func (b *breaker) outage(err error, now time.Time) {
	b.tick++
	if b.open {
		b.reason = PauseOutage
		b.probeFailed(err, now)
		return
	}
	b.trip(PauseOutage, err, b.backoff(0), now)
}

// askedToWait tells that a whole call was answered with "come back in d".
func (b *breaker) askedToWait(err error, d time.Duration, now time.Time) {
	b.tick++
	if b.open {
		b.probeFailed(err, now)
		if at := now.Add(d); at.After(b.next) {
			b.next = at
		}
		return
	}
	b.trip(PauseRetryAfter, err, d, now)
}

func (b *breaker) trip(reason PauseReason, err error, wait time.Duration, now time.Time) {
	b.open, b.reason, b.since, b.err = true, reason, now, err
	b.next, b.probes = now.Add(wait), 0
}

// probeFailed moves the next probe away. Only the probe counts: calls that were
// out when the breaker opened come back one after the other and would push it off.
func (b *breaker) probeFailed(err error, now time.Time) {
	if !b.probing {
		return
	}
	b.err = err
	b.probes++
	wait := b.backoff(b.probes)
	if ra := retryAfter(err); ra > wait {
		wait = ra
	}
	b.next = now.Add(wait)
}

func (b *breaker) backoff(n int) time.Duration { return b.retry.backoff(n) }

// forget drops a record that is no longer the worker's (its partition went away).
func (b *breaker) forget(m *Message) { delete(b.suspects, m) }
