package wire

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/broker"
)

// Fetch sessions (KIP-227): the broker remembers which partitions a client
// reads, so that requests and answers name only those that have changed.

// fetchSessionIdle is how long a session must have been idle before another may
// take its place, as in Kafka.
const fetchSessionIdle = 2 * time.Minute

const (
	epochNoSession  = -1
	epochNewSession = 0
)

// fetchPart is one partition that a client reads.
type fetchPart struct {
	topic     string
	id        [16]byte
	partition int32

	offset       int64
	maxBytes     int32
	epoch        int32 // the leader epoch the client believes in; -1 = none
	fetchedEpoch int32 // of the last record it has; -1 = none
	unknown      bool  // it was not there when the present request came

	// The partition, as long as the broker's topics are what they were in this version
	// of them; nil when it was not there.
	part    *broker.Partition
	foundIn uint64

	// What the client was last told; a full answer tells everything.
	told          bool
	toldHW        int64
	toldLogStart  int64
	hadRecordsNow bool
}

type fetchPartKey struct {
	topic     string
	id        [16]byte
	partition int32
}

func (p *fetchPart) key() fetchPartKey { return fetchPartKey{p.topic, p.id, p.partition} }

// fetchSession is what a fetch reads, in the order in which it is filled. With
// id 0 it is for one request only.
type fetchSession struct {
	id          int32
	epoch       int32 // of the next request
	byID        bool
	incremental bool // the present answer
	used        time.Time

	// mu guards what an answer writes into parts and their order against the next
	// request of the session, which copies them: a client may send that before it
	// has the answer.
	mu    sync.Mutex
	parts []*fetchPart
	index map[fetchPartKey]*fetchPart // of parts; nil = not made yet
	done  bool                        // the answer is made: parts change no more
}

// fetchSessions are the sessions of all clients.
type fetchSessions struct {
	limit int // max.incremental.fetch.session.cache.slots

	mu   sync.Mutex
	byID map[int32]*fetchSession
}

// open returns what the request reads: of its session, of a new one, or of none.
func (c *fetchSessions) open(req *kmsg.FetchRequest, now time.Time) (*fetchSession, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if req.SessionEpoch == epochNoSession || req.SessionEpoch == epochNewSession {
		delete(c.byID, req.SessionID)
		s := &fetchSession{byID: req.Version >= 13, used: now}
		s.update(req)
		if req.SessionEpoch == epochNewSession && c.hasRoom(now) {
			s.id, s.epoch = c.newID(), 1
			c.byID[s.id] = s
		}
		return s, nil
	}
	s := c.byID[req.SessionID]
	switch {
	case s == nil:
		return nil, kerr.FetchSessionIDNotFound
	case s.epoch != req.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case s.byID != (req.Version >= 13):
		return nil, kerr.FetchSessionTopicIDError
	}
	next := &fetchSession{id: s.id, epoch: s.epoch + 1, byID: s.byID, incremental: true, used: now}
	if next.epoch <= 0 {
		next.epoch = 1
	}
	next.parts, next.index = s.handOver()
	next.update(req)
	if len(next.parts) == 0 {
		// Nothing is left to remember: the session ends (KIP-227).
		delete(c.byID, s.id)
		next.id = 0
		return next, nil
	}
	c.byID[s.id] = next
	return next, nil
}

// handOver gives the partitions, with what the client was told of them, to the next
// request: themselves when the present answer is made, else copies, for it may still
// be under way.
func (s *fetchSession) handOver() ([]*fetchPart, map[fetchPartKey]*fetchPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.parts, s.index
	}
	all := make([]fetchPart, len(s.parts))
	parts := make([]*fetchPart, len(s.parts))
	for i, p := range s.parts {
		all[i] = *p
		parts[i] = &all[i]
	}
	return parts, nil
}

// forget ends a session that was begun for an answer that came to nothing.
func (c *fetchSessions) forget(s *fetchSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[s.id] == s {
		delete(c.byID, s.id)
	}
}

func (c *fetchSessions) hasRoom(now time.Time) bool {
	if c.byID == nil {
		c.byID = map[int32]*fetchSession{}
	}
	if len(c.byID) < c.limit {
		return true
	}
	for id, s := range c.byID {
		if now.Sub(s.used) > fetchSessionIdle {
			delete(c.byID, id)
			return true
		}
	}
	return false
}

func (c *fetchSessions) newID() int32 {
	for {
		if id := rand.Int32(); id > 0 && c.byID[id] == nil {
			return id
		}
	}
}

// update adds, changes and removes partitions as the request says.
func (s *fetchSession) update(req *kmsg.FetchRequest) {
	if len(req.Topics) == 0 && len(req.ForgottenTopics) == 0 {
		return // what a consumer that keeps up sends
	}
	if s.index == nil {
		s.index = make(map[fetchPartKey]*fetchPart, len(s.parts))
		for _, p := range s.parts {
			s.index[p.key()] = p
		}
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			rp := &t.Partitions[j]
			key := fetchPartKey{t.Topic, t.TopicID, rp.Partition}
			p := s.index[key]
			if p == nil {
				p = &fetchPart{topic: key.topic, id: key.id, partition: key.partition}
				s.index[key] = p
				s.parts = append(s.parts, p)
			}
			p.offset, p.maxBytes = rp.FetchOffset, rp.PartitionMaxBytes
			p.epoch, p.fetchedEpoch = rp.CurrentLeaderEpoch, rp.LastFetchedEpoch
		}
	}
	if len(req.ForgottenTopics) == 0 {
		return
	}
	for _, t := range req.ForgottenTopics {
		for _, p := range t.Partitions {
			delete(s.index, fetchPartKey{t.Topic, t.TopicID, p})
		}
	}
	kept := s.parts[:0]
	for _, p := range s.parts {
		if s.index[p.key()] == p {
			kept = append(kept, p)
		}
	}
	s.parts = kept
}

// tells decides whether the answer names the partition, and notes what it says.
// size is that of the partition's records.
func (s *fetchSession) tells(p *fetchPart, rp *kmsg.FetchResponseTopicPartition, size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.hadRecordsNow = size > 0
	tell := !s.incremental || !p.told || p.hadRecordsNow || rp.ErrorCode != 0 ||
		rp.HighWatermark != p.toldHW || rp.LogStartOffset != p.toldLogStart || rp.DivergingEpoch.EndOffset >= 0
	// After an error the next answer says everything again.
	p.told = rp.ErrorCode == 0
	p.toldHW, p.toldLogStart = rp.HighWatermark, rp.LogStartOffset
	return tell
}

// remember returns what the client was last told, for an answer that may come to nothing.
func (s *fetchSession) remember() (undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := make([]fetchPart, len(s.parts))
	for i, p := range s.parts {
		before[i] = *p
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, p := range s.parts {
			was := &before[i]
			p.told, p.toldHW, p.toldLogStart, p.hadRecordsNow = was.told, was.toldHW, was.toldLogStart, was.hadRecordsNow
		}
	}
}

// answered says that the answer is made. It moves the partitions that had records
// behind those that had none, so that none starves when an answer is full.
func (s *fetchSession) answered() {
	if s.id == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	if !slices.ContainsFunc(s.parts, func(p *fetchPart) bool { return p.hadRecordsNow }) {
		return
	}
	var served []*fetchPart
	waiting := s.parts[:0]
	for _, p := range s.parts {
		if p.hadRecordsNow {
			served = append(served, p)
		} else {
			waiting = append(waiting, p)
		}
	}
	s.parts = append(waiting, served...)
}
