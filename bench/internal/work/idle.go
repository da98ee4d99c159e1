package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/proc"
	"github.com/leatdev/leat/bench/internal/raw"
)

// loadedBrokers is how many brokers of each kind wait after load at the same time.
const loadedBrokers = 5

// idleEmpty is a broker with its internal topics and one group, and nothing else.
func idleEmpty(ctx context.Context, e *Env, p peers.Peer) ([]Result, error) {
	r, err := p.Start(ctx, e.Scratch, false)
	if err != nil {
		return nil, err
	}
	_, err = furnish(ctx, e, r, 1)
	var res Result
	if err == nil {
		res, err = rest(ctx, e, r, "empty")
	}
	return []Result{res}, errors.Join(err, r.Remove())
}

// idleMany is a broker with a topic of many partitions, before and after a restart.
func idleMany(ctx context.Context, e *Env, p peers.Peer) (all []Result, err error) {
	r, err := p.Start(ctx, e.Scratch, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Remove()) }()
	if _, err := furnish(ctx, e, r, e.Cheap); err != nil {
		return nil, err
	}
	res, err := rest(ctx, e, r, "many")
	if err != nil {
		return nil, err
	}
	all = append(all, res)
	if err := r.Stop(); err != nil {
		return all, err
	}
	if err := r.Again(ctx); err != nil {
		return all, err
	}
	ready := r.Ready.Seconds() * 1e3
	if res, err = rest(ctx, e, r, "restarted"); err != nil {
		return all, err
	}
	res.Values[ReadyMS] = ready
	return append(all, res), nil
}

// furnish makes a topic, and a group that has committed, which makes the internal topics.
func furnish(ctx context.Context, e *Env, r *peers.Running, parts int) (topic string, err error) {
	if topic, err = e.newTopic(ctx, r, parts, nil); err != nil {
		return "", err
	}
	c, err := raw.Dial(ctx, r.Addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return topic, until(ctx, createPatience, func() error {
		if err := c.FindCoordinator(group(0)); err != nil {
			return err
		}
		return c.Commit(group(0), topic, map[int32]int64{0: 0})
	})
}

// rest waits a moment and reads the memory.
func rest(ctx context.Context, e *Env, r *peers.Running, part string) (Result, error) {
	m, err := begin(r)
	if err != nil {
		return Result{}, err
	}
	select {
	case <-time.After(5 * e.Window): // at rest: what a start or a load leaves behind goes back to the system after some seconds
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	res, err := m.end()
	res.Row, res.Client = part, "none"
	res.Values[RSSMB] = float64(res.RSS) / 1e6
	return res, err
}

// idleAfter loads some brokers, one after the other, lets all of them rest at the
// same time, and reads their memory.
func idleAfter(ctx context.Context, e *Env, p peers.Peer) (all []Result, err error) {
	type loaded struct {
		*peers.Running
		part  string
		round int
	}
	var brokers []loaded
	defer func() {
		for _, b := range brokers {
			err = errors.Join(err, b.Remove())
		}
	}()
	for round := range loadedBrokers {
		for part, parts := range map[string]int{"few": batchPartitions, "many": e.Cheap} {
			r, err := p.Start(ctx, e.Scratch, false)
			if err != nil {
				return nil, err
			}
			brokers = append(brokers, loaded{r, part, round + 1})
			topic, err := furnish(ctx, e, r, parts)
			if err != nil {
				return nil, err
			}
			acked, err := fill(ctx, r.Addr, topic, parts, syncValue, e.WarmBytes)
			if err != nil {
				return nil, err
			}
			if err := verify(ctx, r, topic, parts, acked); err != nil {
				return nil, err
			}
			log, err := filledBy(ctx, r, topic, parts, acked)
			if err != nil {
				return nil, err
			}
			c, err := raw.Dial(ctx, r.Addr)
			if err != nil {
				return nil, err
			}
			_, _, _, err = log.pass(ctx, c, "") // reads are load, too
			if err := errors.Join(err, c.Close()); err != nil {
				return nil, err
			}
		}
	}
	select {
	case <-time.After(e.AfterLoad):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, b := range brokers {
		u, err := proc.Read(b.Pid())
		if err != nil {
			return all, fmt.Errorf("%w: %w", err, b.Alive())
		}
		all = append(all, Result{Row: b.part, Round: b.round, Client: rawClient, Seconds: e.AfterLoad.Seconds(), RSS: u.RSS, PeakRSS: u.Peak,
			BrokerCPU: u.CPU.Seconds(), Values: map[string]float64{RSSMB: float64(u.RSS) / 1e6, PeakMB: float64(u.Peak) / 1e6}})
	}
	return all, nil
}
