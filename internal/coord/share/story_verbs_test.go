package share

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var types = map[string]Type{"gap": Gap, "accept": Accept, "release": Release, "reject": Reject, "renew": Renew}

// Do carries out one command. Verbs of the world: log, skip, config, wait, start,
// refuse, grave, crash, snapshot, show. Verbs of a member, behind its name:
// acquire N [record_limit] [batch=N], ack RANGE=TYPE..., close RANGE=TYPE... (the last
// request of its session), closes, lost.
func (w *world) Do(line string) error {
	f := strings.Fields(line)
	switch f[0] {
	case "log", "skip":
		for _, s := range f[1:] {
			r, err := parseRange(s)
			if err != nil {
				return err
			}
			if f[0] == "log" {
				w.log = append(w.log, Batch{r.First, r.Last})
			} else {
				w.skip = append(w.skip, r)
			}
		}
		return nil
	case "compact":
		w.log = nil
		return w.Do("log " + strings.Join(f[1:], " "))
	case "config":
		return w.config(f[1:])
	case "wait":
		d, err := time.ParseDuration(f[1])
		w.wait(d)
		return err
	case "start":
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return err
		}
		w.step(LogStart{n})
		return nil
	case "refuse":
		w.refuse = true
		return nil
	case "grave":
		w.grave = strings.TrimSpace(strings.TrimPrefix(line, "grave"))
		return nil
	case "crash":
		return w.crash()
	case "snapshot":
		w.snapshot()
		return nil
	case "show":
		w.show()
		return nil
	}
	if len(f) < 2 {
		return fmt.Errorf("no such verb")
	}
	return w.member(f[0], f[1], f[2:])
}

func (w *world) member(name, verb string, args []string) error {
	switch verb {
	case "acquire":
		return w.acquire(name, args)
	case "ack", "close":
		e := Acknowledge{Member: name, Closing: verb == "close"}
		for _, a := range args {
			at, what, _ := strings.Cut(a, "=")
			r, err := parseRange(at)
			if err != nil {
				return err
			}
			ack := Ack{First: r.First, Last: r.Last}
			for _, one := range strings.Split(what, ",") {
				typ, ok := types[one]
				if !ok {
					return fmt.Errorf("no such type: %s", one)
				}
				ack.Types = append(ack.Types, int8(typ))
			}
			e.Acks = append(e.Acks, ack)
		}
		out, ok := w.step(e)
		if !ok {
			w.printf("%s ack -> refused", name)
			return nil
		}
		w.printf("%s ack -> %s", name, codeName(out.Code))
	case "closes", "lost":
		w.step(Leave{Member: name, Lost: verb == "lost"})
	default:
		return fmt.Errorf("no such verb")
	}
	w.bury()
	return nil
}

func (w *world) acquire(name string, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	e := Acquire{Member: name, MaxRecords: n, BatchSize: n, Skip: w.skip}
	for _, a := range args[1:] {
		if a == "record_limit" {
			e.Mode = RecordLimit
		} else if e.BatchSize, err = strconv.Atoi(strings.TrimPrefix(a, "batch=")); err != nil {
			return err
		}
	}
	var ok bool
	if e.From, ok = w.p.Next(w.now); !ok {
		w.printf("%s acquire -> none to be had", name)
		return nil
	}
	for _, b := range w.log {
		if b.Last >= e.From {
			e.Batches = append(e.Batches, b)
		}
	}
	out, ok := w.step(e)
	if !ok {
		return nil
	}
	var s []string
	for _, g := range out.Acquired {
		s = append(s, fmt.Sprintf("%s(%d)", offsets(g.First, g.Last), g.Count))
	}
	w.printf("%s acquire from %d -> %s", name, e.From, strings.Join(s, " "))
	return nil
}

// wait lets time pass; Ticks come when they are due.
func (w *world) wait(d time.Duration) {
	end := w.now.Add(d)
	for {
		at := w.p.Deadline()
		if at.IsZero() || at.After(end) {
			break
		}
		if at.After(w.now) {
			w.now = at
		}
		w.step(Tick{})
		w.bury()
	}
	w.now = end
}

// bury writes the dead letters there are, three records at a time.
func (w *world) bury() {
	for {
		d, ok := w.p.Dying(3)
		if !ok {
			return
		}
		if w.grave != "" {
			w.step(BuryFailed{w.grave})
			return
		}
		w.printf("dead: %s count=%d %s", offsets(d.First, d.Last), d.Count, d.Cause)
		w.step(Buried{d.First, d.Last})
	}
}

// crash makes the machine anew from what is durable.
func (w *world) crash() error {
	w.p = nil
	for _, r := range w.state {
		kind, key, h, state, err := Decode(r[0], r[1])
		if err != nil || key != worldKey {
			return fmt.Errorf("a record of the state cannot be read: %v %w", key, err)
		}
		switch kind {
		case Snapshot:
			w.p, w.snap = Restore(w.cfg, w.now, state), h
		case Update:
			if h.SnapshotEpoch != w.snap.SnapshotEpoch {
				return fmt.Errorf("an update of snapshot %d behind %d", h.SnapshotEpoch, w.snap.SnapshotEpoch)
			}
			w.p.Replay(state)
		default:
			return fmt.Errorf("kind %d", kind)
		}
	}
	w.step(Tick{})
	w.bury()
	return nil
}

func (w *world) show() {
	in := w.p.Info()
	w.printf("start=%d end=%d done=%d acquired=%d waiting=%d dead=%d", in.Start, in.End, in.Done, in.Acquired, in.Waiting, in.Dead)
	for _, r := range w.p.runs {
		text := fmt.Sprintf("%s %s", offsets(r.first, r.last), r.state)
		if !r.state.finished() {
			text += fmt.Sprintf(" %d/%d", r.acquired, r.failed)
		}
		if r.member != none {
			text += " by " + w.p.members[r.member]
		}
		if r.lock != 0 {
			text += fmt.Sprintf(" until %s", w.p.base.Add(time.Duration(r.lock)).Sub(w.began))
		}
		w.printf("%s", text)
	}
	if in.Paused != "" {
		w.printf("paused: %s", in.Paused)
	}
}

func (w *world) config(args []string) error {
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		var err error
		switch k {
		case "limit":
			w.cfg.DeliveryLimit, err = strconv.Atoi(v)
		case "locks":
			w.cfg.MaxLocks, err = strconv.Atoi(v)
		case "lock":
			w.cfg.LockDuration, err = time.ParseDuration(v)
		case "renew":
			w.cfg.Renew = v == "on"
		case "dlq":
			w.cfg.DeadLetters = v == "on"
		case "backoff":
			low, high, _ := strings.Cut(v, "..")
			if w.cfg.BackoffMin, err = time.ParseDuration(low); err == nil {
				w.cfg.BackoffMax, err = time.ParseDuration(high)
			}
		case "breaker":
			w.cfg.BreakerDead, err = strconv.Atoi(v)
		default:
			err = fmt.Errorf("no such config")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	w.p.SetConfig(w.cfg)
	w.step(Tick{})
	w.bury()
	return nil
}
