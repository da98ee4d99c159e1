package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Produce measures how fast records are taken. It reads all of Config but Rate.
// Interrupted by ctx, it returns what it measured so far.
//
// Latency is closed loop here, from handing a record to the client until its
// ack: with Sync it is what each producer waits, without it mostly time spent
// in the client's own queue. For latency at a load of your choice see Latency.
func Produce(ctx context.Context, c Config) (Result, error) {
	r := Result{Kind: "produce", Topic: c.Topic}
	clients, err := c.dialAll(ctx)
	if err != nil {
		return r, err
	}
	defer closeAll(clients)
	if err := c.ensureTopic(ctx, clients[0]); err != nil {
		return r, err
	}

	sctx, stop := context.WithCancel(ctx) // ends the sending
	defer stop()
	p := production{conf: c, values: newValues(c.Size)}
	p.left.Store(c.Records)
	if c.Warmup > 0 {
		p.warmUp(sctx, clients)
	}
	m, err := startMeter(c.ServerPID)
	if err != nil {
		return r, err
	}
	began := time.Now()
	p.tally.begin(began)
	unwatch := c.watch(p.tally.count)
	var wg sync.WaitGroup
	for _, cl := range clients {
		wg.Go(func() { p.send(sctx, cl, p.take) })
	}
	var elapsed time.Duration
	if c.Records == 0 {
		wait(sctx, c.Duration)
		elapsed = time.Since(began)
		p.tally.end() // acks that come from here on are waited for, not counted
		stop()
	} else {
		wg.Wait()
	}
	err = m.stop(&r)
	wg.Wait()
	unwatch()
	p.tally.result(&r, elapsed)
	return r, err
}

// warmUp sends for the time of the warm-up and waits for the acks.
func (p *production) warmUp(ctx context.Context, clients []*kgo.Client) {
	ctx, stop := context.WithTimeout(ctx, p.conf.Warmup)
	defer stop()
	var wg sync.WaitGroup
	for _, cl := range clients {
		wg.Go(func() { p.send(ctx, cl, func() bool { return true }) })
	}
	wg.Wait()
}

func (c Config) dialAll(ctx context.Context) ([]*kgo.Client, error) {
	var clients []*kgo.Client
	for range max(1, c.Producers) {
		cl, err := c.Dial(ctx, kgo.DefaultProduceTopic(c.Topic))
		if err != nil {
			closeAll(clients)
			return nil, err
		}
		clients = append(clients, cl)
	}
	return clients, nil
}

func closeAll(clients []*kgo.Client) {
	for _, cl := range clients {
		cl.Close()
	}
}

// production is the state that all producers share.
type production struct {
	conf   Config
	values values
	tally  tally
	left   atomic.Int64 // records still to send, if Records is set
	next   atomic.Int64
}

// send produces until ctx ends or more says no, then waits for the acks.
func (p *production) send(ctx context.Context, cl *kgo.Client, more func() bool) {
	// What was handed over is waited for, also when the sending has ended.
	sendCtx := context.WithoutCancel(ctx)
	for ctx.Err() == nil && more() {
		begun := time.Now()
		rec := &kgo.Record{Value: p.values.at(p.next.Add(1))}
		if p.conf.Sync {
			err := cl.ProduceSync(sendCtx, rec).FirstErr()
			p.tally.add(len(rec.Value), begun, err)
			continue
		}
		cl.Produce(sendCtx, rec, func(rec *kgo.Record, err error) { p.tally.add(len(rec.Value), begun, err) })
	}
	_ = cl.Flush(sendCtx)
}

// take tells whether one more record is to be sent.
func (p *production) take() bool { return p.conf.Records == 0 || p.left.Add(-1) >= 0 }
