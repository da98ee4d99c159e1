package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/report"
	"github.com/leatdev/leat/bench/internal/work"
)

// runner runs rows on peers.
type runner struct {
	o       options
	env     *work.Env
	running []*peers.Running
	run     report.Run
	began   time.Time
}

func newRunner(o options) *runner {
	now := time.Now()
	command := "go run ."
	if o.args != "" {
		command += " " + o.args
	}
	return &runner{o: o, began: now, run: report.Run{Date: now.UTC(), Command: command, Rounds: o.rounds, Sizes: o.sizes}}
}

func (u *runner) log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%7.1fs %s\n", time.Since(u.began).Seconds(), fmt.Sprintf(format, args...))
}

// all runs every row and writes the report, also of what there is when it is
// interrupted. The error names rows that failed.
func (u *runner) all(ctx context.Context) (err error) {
	if u.o.out == "" {
		if u.o.out, err = os.MkdirTemp("", "leat-bench-report-"); err != nil {
			return err
		}
	}
	scratch, err := os.MkdirTemp(os.Getenv("LEAT_BENCH_DIR"), "leat-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	u.run.Machine = report.ThisMachine(scratch)
	u.fitDisk()
	u.env = &work.Env{Scratch: scratch, Sizes: u.run.Sizes, Log: u.log}
	found, skipped, err := peers.Find(ctx, scratch, u.o.peers)
	if err != nil {
		return err
	}
	u.run.Peers, u.run.Skipped = found, skipped
	for _, s := range skipped {
		u.log("not here: %s: %s", s.Name, s.Reason)
	}
	err = u.rows(ctx, found)
	for _, r := range u.running {
		err = errors.Join(err, r.Remove())
	}
	err = errors.Join(err, save(u.run, u.o.out))
	u.log("the report is %s", filepath.Join(u.o.out, "REPORT.md"))
	return errors.Join(err, u.failures())
}

func (u *runner) rows(ctx context.Context, found []peers.Peer) (err error) {
	rows, remove := work.Rows()
	defer func() { err = errors.Join(err, remove()) }()
	for _, row := range rows {
		if len(u.o.only) > 0 && !slices.Contains(u.o.only, row.Name) {
			continue
		}
		u.log("== %s: %s", row.Name, row.About)
		if err := u.row(ctx, row, found); err != nil {
			return err
		}
		u.run.Seconds = time.Since(u.began).Seconds()
		if err := u.run.SaveRaw(u.o.out); err != nil {
			return err
		}
	}
	return nil
}

// fitDisk makes the big log smaller where the disk has not room for it: Leat's and
// Kafka's, and as much again for what the other rows write.
func (u *runner) fitDisk() {
	const logs = 4
	if room := int64(u.run.Machine.FreeGB*1e9) / logs; u.run.Sizes.BigLog > room {
		u.note(fmt.Sprintf("the large log is %.1f GiB instead of %.1f: the disk has %.1f GB free", float64(room)/(1<<30), float64(u.run.Sizes.BigLog)/(1<<30), u.run.Machine.FreeGB))
		u.run.Sizes.BigLog = room
	}
}

// note tells something that the report is to tell, too.
func (u *runner) note(text string) {
	u.log("%s", text)
	u.run.Notes = append(u.run.Notes, text)
}

// failures is an error that names what failed.
func (u *runner) failures() error {
	var errs []error
	for _, r := range u.run.Results {
		if r.Error != "" {
			errs = append(errs, fmt.Errorf("%s, %s, round %d: %s", r.Row, r.Peer, r.Round, r.Error))
		}
	}
	return errors.Join(errs...)
}

// enough failures of a peer in a row end its part in it.
const enough = 2

// row runs one row on all its peers, in turn.
func (u *runner) row(ctx context.Context, row work.Row, found []peers.Peer) error {
	failed := map[string]int{}
	var ours []peers.Peer
	for _, p := range found {
		if slices.Contains(row.Peers, p.Name) && !(u.o.smoke && slices.Contains(row.Slow, p.Name)) {
			ours = append(ours, p)
		}
	}
	if row.Bare != nil {
		ours = append(ours, work.Bare)
	}
	each := func(what string, round int, do func(p peers.Peer) error) error {
		for _, p := range ours {
			if failed[p.Name] >= enough {
				continue
			}
			if err := do(p); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				failed[p.Name]++
				u.log("%s, %s: %s FAILED: %v", row.Name, p.Name, what, err)
				u.add(row, p, round, work.Result{Error: fmt.Sprintf("%s: %v", what, err)})
			}
		}
		return nil
	}
	prepare := func(do func(context.Context, *work.Env, *peers.Running) error) func(p peers.Peer) error {
		return func(p peers.Peer) error {
			if p.Name == work.Bare.Name {
				return nil
			}
			return u.on(ctx, p, func(r *peers.Running) error { return do(ctx, u.env, r) })
		}
	}
	if row.Setup != nil {
		if err := each("setup", 0, prepare(row.Setup)); err != nil {
			return err
		}
	}
	for round := 1; round <= u.o.rounds; round++ {
		if round > 1 && time.Since(u.began) > u.o.budget {
			u.note(fmt.Sprintf("%s has %d rounds: the time of %v was spent", row.Name, round-1, u.o.budget))
			break
		}
		if err := each("measure", round, func(p peers.Peer) error {
			for _, who := range []string{"", p.Name} {
				if most, ok := row.Rounds[who]; ok && round > most {
					return nil
				}
			}
			return u.measure(ctx, row, p, round)
		}); err != nil {
			return err
		}
	}
	if row.Teardown != nil {
		return each("teardown", 0, prepare(row.Teardown))
	}
	return nil
}

// patience is how long one measurement may take with all that it needs.
const patience = 200 * time.Second

func (u *runner) measure(ctx context.Context, row work.Row, p peers.Peer, round int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took more than %v", patience))
	defer cancel()
	alone := func(do func() ([]work.Result, error)) error {
		results, err := do()
		u.keep(row, p, round, results)
		return err
	}
	switch {
	case p.Name == work.Bare.Name:
		return alone(func() ([]work.Result, error) { return row.Bare(ctx, u.env) })
	case row.Alone != nil:
		return alone(func() ([]work.Result, error) { return row.Alone(ctx, u.env, p) })
	}
	on := u.on
	if slices.Contains(row.Fresh, p.Name) {
		on = u.fresh
	}
	return on(ctx, p, func(r *peers.Running) error {
		if err := u.env.Settle(); err != nil {
			return err
		}
		results, err := row.Measure(ctx, u.env, r)
		u.keep(row, p, round, results)
		return err
	})
}

// keep adds the results that have figures: those of a part that failed have none.
func (u *runner) keep(row work.Row, p peers.Peer, round int, results []work.Result) {
	for _, res := range results {
		if len(res.Values) > 0 {
			u.add(row, p, round, res)
		}
	}
}

// on runs do while only this peer is running; it is started if it was not yet, or
// if it has ended by itself.
func (u *runner) on(ctx context.Context, p peers.Peer, do func(*peers.Running) error) error {
	is := func(r *peers.Running) bool { return r.Name == p.Name }
	i := slices.IndexFunc(u.running, is)
	if i >= 0 && u.running[i].Alive() != nil {
		u.log("%s: %v", p.Name, u.running[i].Alive())
		u.running = slices.DeleteFunc(u.running, is) // its data stays until the end, for who wants to look
		i = -1
	}
	if i < 0 {
		r, err := p.Start(ctx, u.env.Scratch, true)
		if err != nil {
			return err
		}
		u.running = append(u.running, r)
		i = len(u.running) - 1
		u.log("%s %s is ready after %v", p.Name, p.Version, r.Ready.Round(time.Millisecond))
		if err := work.WarmUp(ctx, u.env, r); err != nil {
			return fmt.Errorf("warm up: %w", errors.Join(err, r.Alive(), r.Pause()))
		}
	}
	r := u.running[i]
	if err := r.Resume(); err != nil {
		return err
	}
	if err := do(r); err != nil {
		return errors.Join(err, r.Alive(), r.Pause())
	}
	return r.Pause()
}

// fresh runs do on a peer that is started for it and removed afterwards.
func (u *runner) fresh(ctx context.Context, p peers.Peer, do func(*peers.Running) error) error {
	r, err := p.Start(ctx, u.env.Scratch, false)
	if err != nil {
		return err
	}
	return errors.Join(do(r), r.Remove())
}

// add names a result, keeps it and tells it.
func (u *runner) add(row work.Row, p peers.Peer, round int, res work.Result) {
	if res.Row == "" {
		res.Row = row.Name
	} else {
		res.Row = row.Name + "/" + res.Row
	}
	res.Peer, res.Durability, res.At = p.Name, p.Durability, time.Now().UTC()
	if res.Round == 0 { // a row that measures several times at once has told
		res.Round = round
	}
	u.run.Results = append(u.run.Results, res)
	if res.Error == "" {
		u.log("%-18s %-12s round %d: %s", res.Row, p.Name, res.Round, line(res))
	}
}

// line is a result on one line.
func line(r work.Result) string {
	var b strings.Builder
	keys := make([]string, 0, len(r.Values))
	for k := range r.Values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s %.4g  ", k, r.Values[k])
	}
	fmt.Fprintf(&b, "broker %.2fs client %.2fs of %.2fs", r.BrokerCPU, r.ClientCPU, r.Seconds)
	return b.String()
}
