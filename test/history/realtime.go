package history

import (
	"maps"
	"math"
	"time"
)

// raise lifts the offsets of floor to those of at, where these are higher.
func raise(floor map[string]int64, key string, at int64) {
	if before, ok := floor[key]; !ok || at > before {
		floor[key] = at
	}
}

// ends holds each answer about a key's end (of one of the two kinds) against what
// somebody knew before the question was asked. Who polls reads committed data where
// there are transactions: a last stable offset lies above it.
func (a *analysis) ends(kind Kind) {
	floor := map[string]int64{}
	asked := map[string]map[string]int64{} // the floor at the question, by client
	byTime(a.ops, func(op Op) {
		if op.Kind == kind {
			asked[op.Client] = maps.Clone(floor)
		}
	}, func(op Op) {
		if op.Status != OK {
			return
		}
		switch op.Kind {
		case Send:
			for _, m := range op.Messages {
				if op.Durable && kind == Ends {
					raise(floor, m.Key, m.Offset+1)
				}
			}
		case Poll:
			for _, m := range op.Messages {
				raise(floor, m.Key, m.Offset+1)
			}
		case kind:
			for key, end := range op.Offsets {
				if want := asked[op.Client][key]; end < want {
					a.found(StaleEnd, "%s ends at %d for %s, which asked at %v; %d was known before", key, end, op.Client, op.Start, want)
				}
				raise(floor, key, end)
			}
		}
	})
}

// written is a commit of one key's offset: it takes effect between start and end.
type written struct {
	at         int64
	start, end time.Duration
	ok         bool
}

// lateEffect is how long after its failure a commit may still take effect: it may lie
// in a socket of a broker that is stopped.
const lateEffect = 5 * time.Second

// written collects the commits of each key.
func (a *analysis) written() map[string][]written {
	all := map[string][]written{}
	for _, op := range a.ops {
		if op.Kind != Commit {
			continue
		}
		end := op.End
		if op.Status != OK {
			end += lateEffect
		}
		for key, at := range op.Offsets {
			all[key] = append(all[key], written{at, op.Start, end, op.Status == OK})
		}
	}
	return all
}

// least is the lowest offset that a question between start and end may be answered
// with: that of any commit which no other follows that was acknowledged before the
// question. false when none was acknowledged before. (What members commit mostly grows.
// It need not: a client may hold a commit back until it has joined the next generation,
// and a coordinator takes it then.)
func least(commits []written, start, end time.Duration) (at int64, known bool) {
	var newest time.Duration
	for _, c := range commits {
		if c.ok && c.end < start {
			newest, known = max(newest, c.start), true
		}
	}
	at = math.MaxInt64
	for _, c := range commits {
		if c.start < end && c.end >= newest {
			at = min(at, c.at)
		}
	}
	return at, known
}

// commits does the same for the group's offsets: what is answered, and where
// assignments begin, lies between the last commit that was acknowledged before
// and the highest one that anybody has asked for.
func (a *analysis) commits() {
	all, requested := a.written(), map[string]int64{}
	type mine struct{ client, key string }
	fresh := map[mine]time.Duration{} // assignments without a poll yet: when they began
	hold := func(op Op, key string, at int64, asked time.Duration) {
		if floor, known := least(all[key], asked, op.End); known && at < floor {
			a.found(CommitLost, "%s of %s has %s at %d, at %v; the commit of %d was acknowledged before", op.Kind, op.Client, key, at, op.End, floor)
		}
		most := requested[key]
		if op.Kind == Poll {
			// Offsets of markers and of aborted records show nothing between them.
			if _, skipped := a.between(key, most, at); !skipped {
				return
			}
		}
		if at > most {
			a.found(CommitAhead, "%s of %s has %s at %d, at %v; nobody has committed more than %d", op.Kind, op.Client, key, at, op.End, most)
		}
	}
	byTime(a.ops, func(op Op) {
		if op.Kind == Commit {
			for key, at := range op.Offsets {
				raise(requested, key, at)
			}
		}
	}, func(op Op) {
		if op.Status != OK {
			return
		}
		switch op.Kind {
		case Fetch:
			for key, at := range op.Offsets {
				hold(op, key, at, op.Start)
			}
		case Assign:
			for key, at := range op.Offsets {
				if at == Committed {
					fresh[mine{op.Client, key}] = op.End
				}
			}
		case Revoke:
			for key := range op.Offsets {
				delete(fresh, mine{op.Client, key})
			}
		case Poll:
			for _, m := range op.Messages {
				if began, ok := fresh[mine{op.Client, m.Key}]; ok {
					delete(fresh, mine{op.Client, m.Key})
					if op.Txn != 0 && op.Start < began {
						continue // a rebalance does not wait for who is in a transaction
					}
					hold(op, m.Key, m.Offset, began)
				}
			}
		}
	})
}
