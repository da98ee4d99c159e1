package work

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/leatdev/leat/bench/internal/limit"
	"github.com/leatdev/leat/bench/internal/peers"
)

// Bare is the peer that is no broker: the loops that bound what one can do.
var Bare = peers.Peer{Name: "bare", Version: "no broker", Durability: "as named"}

// loop runs a bare loop and makes a Result of it, under the name of a part.
func (e *Env) loop(ctx context.Context, part string, j limit.Job) (Result, error) {
	dir, err := os.MkdirTemp(e.Scratch, "bare-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		return Result{}, err
	}
	j.Dir = dir
	if j.For == 0 {
		j.For = e.Window / 2
	}
	if err := e.Settle(); err != nil {
		return Result{}, err
	}
	o, err := limit.Run(ctx, exe, j)
	if err != nil {
		return Result{}, err
	}
	if o.Ops == 0 || o.Bytes == 0 {
		return Result{}, fmt.Errorf("the loop %s did nothing", j.Loop)
	}
	res := Result{Row: part, Client: string(j.Loop), Seconds: o.Seconds, BrokerCPU: o.CPU, Values: map[string]float64{}}
	res.rates(o.Ops, o.Bytes, o.Ops)
	res.latencies(o.Latencies)
	return res, nil
}

// loops is a row's Bare: some loops, each a part.
func loops(jobs map[string]limit.Job, order ...string) func(context.Context, *Env) ([]Result, error) {
	return func(ctx context.Context, e *Env) (all []Result, err error) {
		for _, part := range order {
			j := jobs[part]
			if j.Loop == limit.Sendfile || j.Loop == limit.Pread {
				j.Size = e.LogBytes
			}
			res, err := e.loop(ctx, part, j)
			if err != nil {
				return all, fmt.Errorf("bare %s: %w", part, err)
			}
			all = append(all, res)
		}
		return all, nil
	}
}

// The loops that bound the rows.
var (
	bareSync  = loops(map[string]limit.Job{"group": {Loop: limit.GroupCommit}}, "group")
	bareBatch = loops(map[string]limit.Job{
		"receive": {Loop: limit.Receive}, "receivelog": {Loop: limit.ReceiveLog}, "receiveacked": {Loop: limit.ReceiveAcked}, "write": {Loop: limit.Write},
	}, "receive", "receivelog", "receiveacked", "write")
	bareConsume = loops(map[string]limit.Job{
		"sendfile": {Loop: limit.Sendfile}, "pread": {Loop: limit.Pread},
		"sendfile-cold": {Loop: limit.Sendfile, Cold: true}, "pread-cold": {Loop: limit.Pread, Cold: true},
	}, "sendfile", "pread", "sendfile-cold", "pread-cold")
)

// bareOne is the latency of one sync, one round trip, both one after the other, and
// both in one loop that is a broker for one client.
func bareOne(ctx context.Context, e *Env) ([]Result, error) {
	disk, err := e.loop(ctx, "fdatasync", limit.Job{Loop: limit.Fdatasync})
	if err != nil {
		return nil, err
	}
	net, err := e.loop(ctx, "roundtrip", limit.Job{Loop: limit.Echo, For: min(e.Window/2, 500*time.Millisecond)})
	if err != nil {
		return nil, err
	}
	sum := Result{Row: "sum", Client: "fdatasync + round trip", Values: map[string]float64{P50: disk.Values[P50] + net.Values[P50]}}
	both, err := e.loop(ctx, "echosync", limit.Job{Loop: limit.EchoSync})
	if err != nil {
		return nil, err
	}
	return []Result{disk, net, sum, both}, nil
}
