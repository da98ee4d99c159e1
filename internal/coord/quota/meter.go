package quota

import (
	"math"
	"net/netip"
	"time"
)

// sweepAt is of how many accounts a Meter looks which it can forget.
const sweepAt = 1024

// Meter is what clients have used. now, in all methods, is the time since some moment;
// it does not go backwards.
type Meter struct {
	clients, mutations Window
	rates              map[account]*rate
	buckets            map[account]*bucket
	hosts              map[netip.Addr]*rate
	sweep              int // accounts at which idle ones are looked for
}

// NewMeter returns a Meter of which nothing has been used. clients is the window of all
// quotas but that of mutations, which has its own.
func NewMeter(clients, mutations Window) *Meter {
	return &Meter{clients: clients, mutations: mutations,
		rates: map[account]*rate{}, buckets: map[account]*bucket{}, hosts: map[netip.Addr]*rate{}, sweep: sweepAt}
}

// Use enters what a client used of a kind that is a rate, and returns how long it has to
// wait: 0 when it has no quota or is not above it. Time spent on requests is waited for no
// longer than one sample, as in Kafka.
func (m *Meter) Use(r *Rules, k Kind, c Client, amount float64, now time.Duration) time.Duration {
	a, limit, ok := r.find(k, c)
	if !ok {
		return 0
	}
	ms := now.Milliseconds()
	used := m.rate(a, ms)
	used.add(m.clients, amount, ms)
	wait := used.wait(m.clients, limit, ms)
	if k == Request {
		wait = min(wait, m.clients.Length)
	}
	return wait
}

// UseFetched is Use for bytes that are about to be sent. When the client has to wait for
// them they are not to be sent, and do not count; give says that they are all the same,
// for nothing else is in the window: no waiting would ever make room for so many.
func (m *Meter) UseFetched(r *Rules, c Client, bytes float64, now time.Duration) (wait time.Duration, give bool) {
	a, limit, ok := r.find(Fetch, c)
	if !ok {
		return 0, true
	}
	ms := now.Milliseconds()
	used := m.rate(a, ms)
	alone := used.total(m.clients, ms) <= 0
	used.add(m.clients, bytes, ms)
	if wait = used.wait(m.clients, limit, ms); wait == 0 || alone {
		return wait, true
	}
	used.add(m.clients, -bytes, ms)
	return wait, false
}

// MostBytes is how much a client may fetch at once: more is certain to be waited for,
// even if it has fetched nothing of late. (MaxInt is no limit.) It may be called at any
// time.
func (m *Meter) MostBytes(r *Rules, c Client) int {
	_, limit, ok := r.find(Fetch, c)
	most := limit * float64(m.clients.Samples-1) * m.clients.Length.Seconds()
	if !ok || most >= math.MaxInt32 {
		return math.MaxInt
	}
	return int(most)
}

// Mutate enters partitions that a client makes or deletes. Where strict is set and it has
// gone beyond its quota before, they are not entered: ok is false, and nothing is to be
// made. wait is how long it has to wait before the next.
func (m *Meter) Mutate(r *Rules, c Client, partitions float64, strict bool, now time.Duration) (ok bool, wait time.Duration) {
	a, limit, found := r.find(Mutation, c)
	if !found {
		return true, 0
	}
	ms := now.Milliseconds()
	b := m.buckets[a]
	if b == nil {
		m.forget(ms)
		b = &bucket{}
		m.buckets[a] = b
	}
	return b.take(m.mutations, limit, partitions, strict, ms)
}

// Connect enters a connection from an address. When it has to wait it is not to be
// served, and does not count; the wait is no longer than one sample.
func (m *Meter) Connect(r *Rules, from netip.Addr, now time.Duration) time.Duration {
	limit := r.host(from)
	if limit == 0 {
		return 0
	}
	ms := now.Milliseconds()
	used := m.hosts[from]
	if used == nil {
		m.forget(ms)
		used = &rate{}
		m.hosts[from] = used
	}
	used.add(m.clients, 1, ms)
	wait := min(used.wait(m.clients, limit, ms), m.clients.Length)
	if wait > 0 {
		used.add(m.clients, -1, ms)
	}
	return wait
}

func (m *Meter) rate(a account, now int64) *rate {
	used := m.rates[a]
	if used == nil {
		m.forget(now)
		used = &rate{}
		m.rates[a] = used
	}
	return used
}

// Accounts is of how many clients and addresses something is known.
func (m *Meter) Accounts() int { return len(m.rates) + len(m.buckets) + len(m.hosts) }

// forget lets go of accounts that are as if nothing had ever been used, when there are
// many: client ids and addresses are for everybody to choose.
func (m *Meter) forget(now int64) {
	if m.Accounts() < m.sweep {
		return
	}
	for a, used := range m.rates {
		if used.idle(m.clients, now) {
			delete(m.rates, a)
		}
	}
	for a, used := range m.hosts {
		if used.idle(m.clients, now) {
			delete(m.hosts, a)
		}
	}
	for a, b := range m.buckets {
		if b.fill(m.mutations, b.limit, now); b.tokens >= float64(m.mutations.span())/1000*b.limit {
			delete(m.buckets, a)
		}
	}
	m.sweep = max(sweepAt, 2*m.Accounts())
}
