package history

import "maps"

// raise lifts the offsets of floor to those of at, where these are higher.
func raise(floor map[string]int64, key string, at int64) {
	if before, ok := floor[key]; !ok || at > before {
		floor[key] = at
	}
}

// ends holds each answer about a key's end against what somebody knew before the
// question was asked.
func (a *analysis) ends() {
	floor := map[string]int64{}
	asked := map[string]map[string]int64{} // the floor at the question, by client
	byTime(a.ops, func(op Op) {
		if op.Kind == Ends {
			asked[op.Client] = maps.Clone(floor)
		}
	}, func(op Op) {
		if op.Status != OK {
			return
		}
		switch op.Kind {
		case Send:
			for _, m := range op.Messages {
				if op.Durable {
					raise(floor, m.Key, m.Offset+1)
				}
			}
		case Poll:
			for _, m := range op.Messages {
				raise(floor, m.Key, m.Offset+1)
			}
		case Ends:
			for key, end := range op.Offsets {
				if want := asked[op.Client][key]; end < want {
					a.found(StaleEnd, "%s ends at %d for %s, which asked at %v; %d was known before", key, end, op.Client, op.Start, want)
				}
				raise(floor, key, end)
			}
		}
	})
}

// commits does the same for the group's offsets: what is answered, and where
// assignments begin, lies between the last commit that was acknowledged before
// and the last one that anybody has asked for. (Members commit what they have
// read from the committed offsets on, so these only grow.)
func (a *analysis) commits() {
	acknowledged, requested := map[string]int64{}, map[string]int64{}
	asked := map[string]map[string]int64{}
	type mine struct{ client, key string }
	fresh := map[mine]int64{} // assignments without a poll yet: the floor when they began
	hold := func(op Op, key string, at, floor int64) {
		if at < floor {
			a.found(CommitLost, "%s of %s has %s at %d, at %v; the commit of %d was acknowledged before", op.Kind, op.Client, key, at, op.End, floor)
		}
		if most := requested[key]; at > most {
			a.found(CommitAhead, "%s of %s has %s at %d, at %v; nobody has committed more than %d", op.Kind, op.Client, key, at, op.End, most)
		}
	}
	byTime(a.ops, func(op Op) {
		switch op.Kind {
		case Commit:
			for key, at := range op.Offsets {
				raise(requested, key, at)
			}
		case Fetch:
			asked[op.Client] = maps.Clone(acknowledged)
		}
	}, func(op Op) {
		if op.Status != OK {
			return
		}
		switch op.Kind {
		case Commit:
			for key, at := range op.Offsets {
				raise(acknowledged, key, at)
			}
		case Fetch:
			for key, at := range op.Offsets {
				hold(op, key, at, asked[op.Client][key])
			}
		case Assign:
			for key, at := range op.Offsets {
				if at == Committed {
					fresh[mine{op.Client, key}] = acknowledged[key]
				}
			}
		case Revoke:
			for key := range op.Offsets {
				delete(fresh, mine{op.Client, key})
			}
		case Poll:
			for _, m := range op.Messages {
				if floor, ok := fresh[mine{op.Client, m.Key}]; ok {
					delete(fresh, mine{op.Client, m.Key})
					hold(op, m.Key, m.Offset, floor)
				}
			}
		}
	})
}
