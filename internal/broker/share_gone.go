package broker

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// How places of share groups come to an end: with their group, with their topic, by an
// administrator, or because there is no such group.

// forget deletes the state of a share-partition.
func (sp *sharePart) forget() (plog.Pos, error) {
	release := sp.shares.b.Store.AwaitReserve(shareBytes)
	defer release()
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.gone {
		return 0, nil
	}
	_, pos, err := sp.shard.submit(sp.shares.b.Store.Submit, share.AppendSnapshotKey(nil, sp.key.key()), nil)
	if err != nil {
		return 0, err
	}
	sp.end()
	return pos, nil
}

// end takes the share-partition out of use. Called with mu held.
func (sp *sharePart) end() {
	sp.gone = true
	sp.shares.loop.expect(sp, time.Time{})
	sp.shares.drop(sp)
	sp.wait.wake()
}

// topicDeleted forgets the places in a topic that was deleted: nothing of them is read
// again.
func (s *Shares) topicDeleted(id kafka.UUID) {
	s.mu.RLock()
	var gone []*sharePart
	for k, sp := range s.parts {
		if k.topic == id {
			gone = append(gone, sp)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(gone, compareShareParts)
	for _, sp := range gone {
		sp.mu.Lock()
		if !sp.gone {
			sp.end()
		}
		sp.mu.Unlock()
	}
}

// burial is the end of all places of a group, as ops for whoever appends what ends the
// group: both are in one append, so that neither a crash nor a member that joins again
// finds one without the other. done is called with what became of it; until then nobody
// gets at the places.
func (s *Shares) burial(group string) (ops []plog.Op, done func(error), err error) {
	if err := s.loaded(); err != nil {
		return nil, nil, err
	}
	held := s.ofGroup(group)
	stones := map[*shareShard][]kafka.Record{}
	for _, sp := range held {
		sp.mu.Lock()
		if !sp.gone && sp.m != nil {
			stones[sp.shard] = append(stones[sp.shard], kafka.Record{Timestamp: s.b.Now().UnixMilli(), Key: share.AppendSnapshotKey(nil, sp.key.key())})
		}
	}
	for _, shard := range slices.SortedFunc(maps.Keys(stones), byPartition[*shareShard]) {
		ops = append(ops, plog.Append(shard.log, kafka.Build(kafka.BatchSpec{}, stones[shard])))
	}
	return ops, func(err error) {
		for _, sp := range held {
			if err == nil && !sp.gone {
				sp.end()
			}
			sp.mu.Unlock()
		}
	}, nil
}

// sweep ends the places of groups that do not exist. Whoever fetches in the name of a
// group that nobody has joined is served, as by Apache; what comes of it stays for
// between one and two rounds, and as long as there is a session. known are the groups
// that the last round found not to exist; those of this one are returned.
func (s *Shares) sweep(known map[string]bool) (strays map[string]bool) {
	strays = map[string]bool{}
	for _, group := range s.Groups() {
		if s.inSession(group) || s.emptyGroup(group) != kerr.GroupIDNotFound.Code {
			continue
		}
		if !known[group] {
			strays[group] = true
			continue
		}
		sh, err := s.b.Groups.shard(group)
		if err == nil {
			var pos plog.Pos
			if pos, err = sh.forgetStray(group); err == nil {
				err = s.settled(pos)
			}
		}
		if err != nil {
			s.b.Log.Warn("where a share group stood that does not exist is kept for now", "group", group, "err", err)
			strays[group] = true
			continue
		}
		s.b.Log.Info("where a share group stood that does not exist is forgotten", "group", group)
	}
	return strays
}

// inSession says whether any member of a group has a session.
func (s *Shares) inSession(group string) bool {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	for k := range s.sessions.byKey {
		if k.group == group {
			return true
		}
	}
	return false
}
