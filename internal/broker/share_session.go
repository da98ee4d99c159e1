package broker

import (
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
)

// Share sessions (KIP-932): the broker remembers which partitions a member fetches.
// A session belongs to a group, a member and a connection, and lives in memory.

// Epochs of requests that begin and end a session.
const (
	shareFirstEpoch = 0
	shareFinalEpoch = -1
)

// ShareRef names a partition of a session.
type ShareRef struct {
	Topic     kafka.UUID
	Partition int32
}

type sessionKey struct{ group, member string }

// ShareSession is one member's session. Only Shares changes it.
type ShareSession struct {
	key   sessionKey
	epoch int32 // of the next request
	refs  []ShareRef
	// patience is how long the last fetch was kept waiting while the member had
	// records in its hands.
	patience time.Duration
	// ended: it was closed, replaced or lost. Nothing is given out in its name any more.
	ended bool
	onEnd func()
}

// add takes partitions in that are not there yet.
func (ses *ShareSession) add(refs []ShareRef) {
	if len(refs) == 0 {
		return
	}
	known := make(map[ShareRef]bool, len(ses.refs)+len(refs))
	for _, r := range ses.refs {
		known[r] = true
	}
	for _, r := range refs {
		if !known[r] {
			known[r] = true
			ses.refs = append(ses.refs, r)
		}
	}
}

// drop takes partitions out.
func (ses *ShareSession) drop(refs []ShareRef) {
	if len(refs) == 0 {
		return
	}
	gone := make(map[ShareRef]bool, len(refs))
	for _, r := range refs {
		gone[r] = true
	}
	ses.refs = slices.DeleteFunc(ses.refs, func(r ShareRef) bool { return gone[r] })
}

// end marks the session; what is returned is called when the lock is free.
func (ses *ShareSession) end() (after func()) {
	ses.ended = true
	if after = ses.onEnd; after == nil {
		after = func() {}
	}
	ses.onEnd = nil
	return after
}

// A client that has sent a fetch cannot acknowledge anything before it is answered: the
// next request carries that. So a fetch of a member that has records waits a short time
// first, and longer and longer as long as it comes with nothing: a quick consumer is
// not held up, and a slow one asks seldom.
const (
	leastPatience  = 200 * time.Microsecond
	patienceFactor = 1.5
)

// Patience is how long a fetch that finds nothing should wait, at most so long.
func (s *Shares) Patience(ses *ShareSession, parts []*Partition, most time.Duration) time.Duration {
	holds := slices.ContainsFunc(parts, func(p *Partition) bool {
		sp, err := s.find(ses.key.group, p)
		if err != nil {
			return false
		}
		sp.mu.Lock()
		defer sp.mu.Unlock()
		return sp.m != nil && sp.m.Holds(ses.key.member)
	})
	c := &s.sessions
	c.mu.Lock()
	defer c.mu.Unlock()
	if !holds {
		ses.patience = 0
		return most
	}
	ses.patience = min(most, max(leastPatience, time.Duration(float64(ses.patience)*patienceFactor)))
	return ses.patience
}

// Served notes that a member was given records, or has acknowledged some.
func (s *Shares) Served(ses *ShareSession) {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	ses.patience = 0
}

type shareSessions struct {
	mu    sched.Mutex
	byKey map[sessionKey]*ShareSession
}

// FetchSession takes a ShareFetch into its session: it begins one (epoch 0), goes on
// with one, or finds the one that it ends (-1, which Close does). refs are the
// partitions to fetch, in the order in which they should be looked at; acks says that
// the request has acknowledgements. fresh says that the session is new. The error is
// a kerr.
func (s *Shares) FetchSession(group, member string, epoch int32, add, forget []ShareRef, acks bool) (ses *ShareSession, refs []ShareRef, fresh bool, err error) {
	key := sessionKey{group, member}
	limit := int(s.b.Catalog.Snapshot().Int("group.share.max.share.sessions"))
	c := &s.sessions
	after := func() {}
	defer func() { after() }()
	c.mu.Lock()
	defer c.mu.Unlock()
	ses = c.byKey[key]
	switch {
	case epoch == shareFinalEpoch && ses == nil:
		return nil, nil, false, kerr.ShareSessionNotFound
	case epoch == shareFinalEpoch:
		return ses, nil, false, nil
	case epoch == shareFirstEpoch:
		if acks {
			return nil, nil, false, kerr.InvalidRequest
		}
		if ses == nil && len(c.byKey) >= limit {
			return nil, nil, false, kerr.ShareSessionLimitReached
		}
		if ses != nil {
			after = ses.end()
		}
		ses = &ShareSession{key: key, epoch: 1}
		ses.add(add)
		c.byKey[key] = ses
		return ses, slices.Clone(ses.refs), true, nil
	case ses == nil:
		return nil, nil, false, kerr.ShareSessionNotFound
	case ses.epoch != epoch:
		return nil, nil, false, kerr.InvalidShareSessionEpoch
	}
	ses.add(add)
	ses.drop(forget)
	ses.next()
	refs = slices.Clone(ses.refs)
	if n := len(refs); n > 1 {
		// Each time another partition comes first, so that none starves.
		k := int(epoch) % n
		refs = slices.Concat(refs[k:], refs[:k])
	}
	return ses, refs, false, nil
}

// AckSession takes a ShareAcknowledge into its session, which must exist.
func (s *Shares) AckSession(group, member string, epoch int32) (*ShareSession, error) {
	c := &s.sessions
	c.mu.Lock()
	defer c.mu.Unlock()
	ses := c.byKey[sessionKey{group, member}]
	switch {
	case epoch == shareFirstEpoch:
		return nil, kerr.InvalidShareSessionEpoch
	case ses == nil:
		return nil, kerr.ShareSessionNotFound
	case epoch == shareFinalEpoch:
		return ses, nil
	case ses.epoch != epoch:
		return nil, kerr.InvalidShareSessionEpoch
	}
	ses.next()
	return ses, nil
}

func (ses *ShareSession) next() {
	if ses.epoch == math.MaxInt32 {
		ses.epoch = 0
	}
	ses.epoch++
}

// EndSession ends a session and gives back what its member holds. lost says that the
// member did not say good-bye. A session that was replaced or ended before is left
// alone.
func (s *Shares) EndSession(ses *ShareSession, lost bool) {
	c := &s.sessions
	c.mu.Lock()
	mine := c.byKey[ses.key] == ses
	after := func() {}
	if mine {
		delete(c.byKey, ses.key)
		after = ses.end()
	}
	c.mu.Unlock()
	if mine {
		after()
		s.leave(ses.key.group, ses.key.member, lost)
	}
}

// Ended says whether the session was closed, replaced or lost.
func (s *Shares) Ended(ses *ShareSession) bool {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	return ses.ended
}

// OnEnd calls fn once when the session ends; at once when it has ended.
func (s *Shares) OnEnd(ses *ShareSession, fn func()) {
	s.sessions.mu.Lock()
	ended := ses.ended
	if !ended {
		ses.onEnd = fn
	}
	s.sessions.mu.Unlock()
	if ended {
		fn()
	}
}

// memberLeft is EndSession for a member that has left the group.
func (s *Shares) memberLeft(group, member string) {
	c := &s.sessions
	c.mu.Lock()
	ses := c.byKey[sessionKey{group, member}]
	c.mu.Unlock()
	if ses != nil {
		s.EndSession(ses, false)
		return
	}
	s.leave(group, member, false)
}

// Replaced says whether the member has begun another session since.
func (s *Shares) Replaced(ses *ShareSession) bool {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	now := s.sessions.byKey[ses.key]
	return now != nil && now != ses
}

// GiveBack takes back what a member holds that is gone already.
func (s *Shares) GiveBack(group, member string) { s.leave(group, member, false) }
