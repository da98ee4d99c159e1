// Package ledger is what coordinators have in common: the words of their effects, and
// what they know of their writes, which are under way to the disk, and which answers
// wait for them. A write is added when it is asked for; it is
// appended to the log, or refused, and then durable, or the disk has failed, which is
// final. Like all of a coordinator it is pure, and not safe for concurrent use.
package ledger

import (
	"errors"
	"iter"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Ledger holds the writes of one coordinator. T is what the coordinator has to know
// again when a write is appended. Its zero value is an empty ledger.
type Ledger[T any] struct {
	last    uint64 // ID given last
	durable uint64 // every write up to this one is on disk
	failed  error
	flying  []flying[T]
	held    []held // in order of the write they wait for
}

type flying[T any] struct {
	id    uint64
	about T
	done  func(error)
}

type held struct {
	id uint64
	f  func(error)
}

// Last is the ID that was given last; IDs rise from 1.
func (l *Ledger[T]) Last() uint64 { return l.last }

// Durable is the ID up to which every write is on disk.
func (l *Ledger[T]) Durable() uint64 { return l.durable }

// Failed is why nothing becomes durable any more; nil while it does.
func (l *Ledger[T]) Failed() error { return l.failed }

// Add notes a write that is asked for and returns its ID. done (may be nil) is called
// once, when it is durable or when that has failed or was refused.
func (l *Ledger[T]) Add(about T, done func(error)) uint64 {
	l.last++
	l.flying = append(l.flying, flying[T]{l.last, about, done})
	return l.last
}

// Appended takes what became of a write: nil when it is in the log, though not yet
// durable, else why it was refused; then the caller calls refused (nil if there is
// nothing to call) when it has drawn its own conclusions. ok is false for a write that
// is not under way.
func (l *Ledger[T]) Appended(id uint64, err error) (about T, refused func(error), ok bool) {
	for i := range l.flying {
		if l.flying[i].id != id {
			continue
		}
		f := l.flying[i]
		if err == nil {
			return f.about, nil, true
		}
		l.flying = append(l.flying[:i], l.flying[i+1:]...)
		return f.about, f.done, true
	}
	return about, nil, false
}

// Settle takes the news from the disk, that the writes up to id are durable, or that
// those under way will never be, and calls who waits for it.
func (l *Ledger[T]) Settle(id uint64, err error) {
	if err != nil {
		l.failed = err
		// What was held for the failed writes is answered, too: nobody waits for ever.
		id = l.last
	} else if l.failed == nil {
		l.durable = max(l.durable, id)
	}
	n := 0
	for n < len(l.flying) && l.flying[n].id <= id {
		n++
	}
	done := l.flying[:n:n]
	l.flying = l.flying[n:]
	n = 0
	for n < len(l.held) && l.held[n].id <= id {
		n++
	}
	shown := l.held[:n:n]
	l.held = l.held[n:]
	for _, f := range done {
		if f.done != nil {
			f.done(err)
		}
	}
	for _, h := range shown {
		h.f(err)
	}
}

// When calls f when the write is durable: at once if it is.
func (l *Ledger[T]) When(id uint64, f func(error)) {
	switch {
	case id <= l.durable || len(l.flying) == 0 && l.failed == nil:
		f(nil)
	case l.failed != nil:
		f(l.failed)
	default:
		// The write last flying stands for id when a later one was refused.
		if last := l.flying[len(l.flying)-1].id; id > last {
			id = last
		}
		i := len(l.held)
		for i > 0 && l.held[i-1].id > id {
			i--
		}
		l.held = append(l.held, held{})
		copy(l.held[i+1:], l.held[i:])
		l.held[i] = held{id, f}
	}
}

// WhenSince calls f when the newest write that was asked for after the one with the ID
// before is durable, refused, or has failed: at once when there is none. It is called in
// the Step that has asked for it.
func (l *Ledger[T]) WhenSince(before uint64, f func(error)) {
	if l.last == before {
		f(nil)
		return
	}
	newest := &l.flying[len(l.flying)-1]
	done := newest.done
	newest.done = func(err error) {
		if done != nil {
			done(err)
		}
		f(err)
	}
}

// Flying are the writes under way, and Held the IDs for which somebody waits, in order:
// for who compares the states of coordinators.
func (l *Ledger[T]) Flying() iter.Seq2[uint64, T] {
	return func(yield func(uint64, T) bool) {
		for _, f := range l.flying {
			if !yield(f.id, f.about) {
				return
			}
		}
	}
}

// Held is told of at Flying.
func (l *Ledger[T]) Held() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for _, h := range l.held {
			if !yield(h.id) {
				return
			}
		}
	}
}

// Code is what a client is told about a failed append. Clients of a coordinator do not
// expect the log's own errors; Kafka's coordinators translate likewise, so that they
// look for the coordinator again and retry.
func Code(err error) int16 {
	if err == nil {
		return 0
	}
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return kerr.UnknownServerError.Code
	}
	switch ke {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable.Code
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator.Code
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError.Code
	}
	return ke.Code
}
