package broker

import (
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/catalog"
	"github.com/leatdev/leat/internal/coord/quota"
	"github.com/leatdev/leat/internal/sched"
)

// Quotas holds clients to the quotas that the catalogue has. Its methods may be called
// from any goroutine.
type Quotas struct {
	// clients and hosts are nil while there are no such quotas: then a request or a
	// connection costs a look at one of them, and nothing else.
	clients, hosts atomic.Pointer[quota.Rules]

	now   func() time.Time
	begun time.Time

	mu    sched.Mutex
	meter *quota.Meter

	throttled [quota.Kinds]throttled
	rejected  atomic.Int64
}

// throttled counts what a quota did.
type throttled struct {
	answers atomic.Int64
	waits   atomic.Int64 // ns
}

func newQuotas(s *catalog.Snapshot, now func() time.Time) *Quotas {
	window := func(num, seconds string) quota.Window {
		// More samples than these are no other average, and more ms than can be counted.
		return quota.Window{Samples: int(min(s.Int(num), 1_000_000)), Length: time.Duration(s.Int(seconds)) * time.Second}
	}
	q := &Quotas{now: now, begun: now()}
	q.meter = quota.NewMeter(window("quota.window.num", "quota.window.size.seconds"),
		window("controller.quota.window.num", "controller.quota.window.size.seconds"))
	q.follow(s)
	return q
}

// follow takes up the quotas of the catalogue as it is now.
func (q *Quotas) follow(s *catalog.Snapshot) {
	rules := quota.NewRules(s.Quotas())
	set := func(at *atomic.Pointer[quota.Rules], any bool) {
		if any {
			at.Store(rules)
		} else {
			at.Store(nil)
		}
	}
	set(&q.clients, rules.OfClients())
	set(&q.hosts, rules.OfHosts())
}

// use calls fn, which is alone with the meter, with the time that it goes by.
func (q *Quotas) use(fn func(m *quota.Meter, now time.Duration)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fn(q.meter, q.now().Sub(q.begun))
}

// count notes a wait, if it is one, and returns it.
func (q *Quotas) count(k quota.Kind, wait time.Duration) time.Duration {
	if wait > 0 {
		q.throttled[k].answers.Add(1)
		q.throttled[k].waits.Add(int64(wait))
	}
	return wait
}

// Throttled tells of each quota of clients, by name, how many waits it has imposed, and for
// how long altogether.
func (q *Quotas) Throttled() (answers map[string]int64, waits map[string]time.Duration) {
	answers, waits = map[string]int64{}, map[string]time.Duration{}
	for k := range quota.Kinds {
		answers[k.String()] = q.throttled[k].answers.Load()
		waits[k.String()] = time.Duration(q.throttled[k].waits.Load())
	}
	return answers, waits
}

// Rejected is how many connections were not served because their address had made too
// many.
func (q *Quotas) Rejected() int64 { return q.rejected.Load() }

// Connect tells how long a new connection from host is to be kept waiting, and then to be
// closed; 0 is a connection that is to be served. What is no address has no quota.
func (q *Quotas) Connect(host string) (wait time.Duration) {
	rules := q.hosts.Load()
	if rules == nil {
		return 0
	}
	addr, ok := quota.ParseHost(host)
	if !ok {
		return 0
	}
	q.use(func(m *quota.Meter, now time.Duration) { wait = m.Connect(rules, addr, now) })
	if wait > 0 {
		q.rejected.Add(1)
	}
	return wait
}

// Of returns what the quotas say of a client, nil when there are none. principal has the
// form User:name.
func (q *Quotas) Of(principal, clientID string) *Charge {
	rules := q.clients.Load()
	if rules == nil {
		return nil
	}
	return &Charge{quotas: q, rules: rules, client: quota.Client{User: strings.TrimPrefix(principal, "User:"), ID: clientID}}
}

// Charge is where a request's client is charged with what it uses. The methods return how
// long its connection is to be left unread; on nil they do nothing.
type Charge struct {
	quotas *Quotas
	rules  *quota.Rules
	client quota.Client
}

// Produced charges the bytes of a Produce request.
func (c *Charge) Produced(bytes int) time.Duration { return c.rate(quota.Produce, float64(bytes)) }

// Worked charges time that was spent on a request.
func (c *Charge) Worked(on time.Duration) time.Duration {
	return c.rate(quota.Request, 100*on.Seconds())
}

// Shared charges bytes that are sent to a member of a share group: the records are its
// already, so that it waits afterwards. size is called when there is a quota for them.
func (c *Charge) Shared(size func() int) time.Duration {
	if !c.rules.Has(quota.Fetch, c.client) {
		return 0
	}
	return c.rate(quota.Fetch, float64(size()))
}

func (c *Charge) rate(k quota.Kind, amount float64) (wait time.Duration) {
	if c == nil {
		return 0
	}
	c.quotas.use(func(m *quota.Meter, now time.Duration) { wait = m.Use(c.rules, k, c.client, amount, now) })
	return c.quotas.count(k, wait)
}

// Fetched charges bytes that are about to be sent; size is called when there is a quota
// for them. give is false when they are not to be sent, and were not charged.
func (c *Charge) Fetched(size func() int) (wait time.Duration, give bool) {
	if !c.rules.Has(quota.Fetch, c.client) {
		return 0, true
	}
	bytes := float64(size())
	c.quotas.use(func(m *quota.Meter, now time.Duration) { wait, give = m.UseFetched(c.rules, c.client, bytes, now) })
	return c.quotas.count(quota.Fetch, wait), give
}

// MostBytes is how many bytes the client may fetch at once; MaxInt is as many as it likes.
func (c *Charge) MostBytes() int {
	if c == nil {
		return math.MaxInt
	}
	return c.quotas.meter.MostBytes(c.rules, c.client)
}

// Mutations returns what the partitions are charged to that a request makes or deletes.
// A strict one is refused when too many were made before, any other waits after them.
func (c *Charge) Mutations(strict bool) *Mutations { return &Mutations{charge: c, strict: strict} }

// Mutations is how one request pays for partitions; nil pays nothing.
type Mutations struct {
	charge *Charge
	strict bool
	wait   time.Duration
	at     time.Time
}

// pay charges partitions. The error is THROTTLING_QUOTA_EXCEEDED.
func (p *Mutations) pay(partitions int32) error {
	if p == nil || p.charge == nil {
		return nil
	}
	c, ok := p.charge, true
	var wait time.Duration
	c.quotas.use(func(m *quota.Meter, now time.Duration) {
		ok, wait = m.Mutate(c.rules, c.client, float64(partitions), p.strict, now)
	})
	if wait > 0 {
		p.wait, p.at = wait, c.quotas.now()
	}
	if !ok {
		return catalog.Refuse(kerr.ThrottlingQuotaExceeded, "The throttling quota has been exceeded.")
	}
	return nil
}

// Wait is how long the client has to wait, from now on, after what was paid.
func (p *Mutations) Wait() time.Duration {
	if p.wait == 0 {
		return 0
	}
	return p.charge.quotas.count(quota.Mutation, max(0, p.wait-p.charge.quotas.now().Sub(p.at)))
}
