package quota

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
)

var (
	window  = Window{11, time.Second}
	alice   = Client{"alice", "app"}
	named   = func(s string) kafka.QuotaPart { return kafka.QuotaOf(&s) }
	anybody = kafka.QuotaOf(nil)
)

type quotas = map[kafka.QuotaEntity]map[string]float64

func rules(q quotas) *Rules { return NewRules(maps.All(q)) }

// The most specific entity counts, in Kafka's order, whatever it allows; and whose use
// counts together is what the entity names.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	all := []struct {
		e     kafka.QuotaEntity
		whose Client
	}{
		{kafka.QuotaEntity{User: named("alice"), ClientID: named("app")}, alice},
		{kafka.QuotaEntity{User: named("alice"), ClientID: anybody}, alice},
		{kafka.QuotaEntity{User: named("alice")}, Client{User: "alice"}},
		{kafka.QuotaEntity{User: anybody, ClientID: named("app")}, alice},
		{kafka.QuotaEntity{User: anybody, ClientID: anybody}, alice},
		{kafka.QuotaEntity{User: anybody}, Client{User: "alice"}},
		{kafka.QuotaEntity{ClientID: named("app")}, Client{ID: "app"}},
		{kafka.QuotaEntity{ClientID: anybody}, Client{ID: "app"}},
	}
	for first := range all {
		q := quotas{}
		for i := first; i < len(all); i++ {
			q[all[i].e] = map[string]float64{kafka.QuotaProducerByteRate: float64(100 - i)}
		}
		a, limit, ok := rules(q).find(Produce, alice)
		if !ok || limit != float64(100-first) || a.Client != all[first].whose {
			t.Errorf("from %v on: found %v for %+v (%t)", all[first].e, limit, a, ok)
		}
	}
	q := quotas{}
	for _, x := range all {
		q[x.e] = map[string]float64{kafka.QuotaProducerByteRate: 7}
	}
	for what, c := range map[string]struct {
		kind Kind
		c    Client
		want string
	}{
		"another kind":            {Fetch, alice, "no quota"},
		"no client id":            {Produce, Client{"alice", ""}, "alice/"},
		"another client of alice": {Produce, Client{"alice", "else"}, "alice/else"},
		"somebody else":           {Produce, Client{"bob", "else"}, "bob/else"},
		"somebody without an id":  {Produce, Client{"bob", ""}, "bob/"},
	} {
		got := "no quota"
		if a, _, ok := rules(q).find(c.kind, c.c); ok {
			got = a.User + "/" + a.ID
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	delete(q, all[2].e)
	delete(q, all[5].e)
	if _, _, ok := rules(q).find(Produce, Client{"alice", ""}); ok {
		t.Error("a client without an id has a quota by client id")
	}
	if r := rules(quotas{}); r != nil || r.OfClients() || r.OfHosts() {
		t.Errorf("without quotas there are rules: %+v", r)
	}
}

// Whoever waits as long as it is told, keeps to its quota.
func TestWaitsKeepTheRate(t *testing.T) {
	t.Parallel()
	r := rules(quotas{{ClientID: anybody}: {kafka.QuotaProducerByteRate: 1000}})
	m := NewMeter(window, window)
	var now time.Duration
	sent := 0
	for now < 10*time.Minute {
		if wait := m.Use(r, Produce, Client{ID: "other"}, 10, now); wait != 0 {
			t.Fatal("another client id waits for this one")
		}
		sent += 5000
		now += 3*time.Millisecond + m.Use(r, Produce, alice, 5000, now)
	}
	if perSecond := float64(sent) / now.Seconds(); math.Abs(perSecond-1000) > 50 {
		t.Errorf("%.0f bytes per second, where 1000 are allowed", perSecond)
	}
	if wait := m.Use(elsewhere(), Produce, alice, 1e9, now); wait != 0 {
		t.Errorf("without the quota it waits %v", wait)
	}
}

// elsewhere are rules that speak of another kind alone.
func elsewhere() *Rules {
	return rules(quotas{{ClientID: anybody}: {kafka.QuotaConsumerByteRate: 1}})
}

func TestRequestTime(t *testing.T) {
	t.Parallel()
	r := rules(quotas{{User: named("alice")}: {kafka.QuotaRequestPercentage: 1}})
	m := NewMeter(window, window)
	// 500 ms of work in one request: at 1% that would be waited for half a minute and more.
	if wait := m.Use(r, Request, alice, 50, 0); wait != time.Second {
		t.Errorf("waits %v, want no more than one sample", wait)
	}
	if wait := m.Use(r, Request, Client{"bob", "app"}, 50, 0); wait != 0 {
		t.Errorf("another user waits %v", wait)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	r := rules(quotas{{ClientID: named("app")}: {kafka.QuotaConsumerByteRate: 100}})
	m := NewMeter(window, window)
	if most := m.MostBytes(r, alice); most != 1000 {
		t.Errorf("at most %d bytes at once, want ten samples of 100", most)
	}
	if most := m.MostBytes(r, Client{ID: "else"}); most != math.MaxInt {
		t.Errorf("without a quota %d bytes", most)
	}
	step := func(now time.Duration, bytes float64, want string) {
		t.Helper()
		wait, give := m.UseFetched(r, alice, bytes, now)
		if got := fmt.Sprintf("%v %t", wait, give); got != want {
			t.Errorf("at %v %.0f bytes: %s, want %s", now, bytes, got, want)
		}
	}
	step(0, 1000, "0s true")
	step(0, 1, "10ms false") // what is not given does not count:
	step(0, 1, "10ms false") // so waiting is not for longer
	step(10*time.Millisecond, 1, "0s true")
	step(30*time.Second, 50_000, "8m10s true") // a batch for which no waiting would ever make room
	step(30*time.Second, 1, "8m10.01s false")
}

func TestMutations(t *testing.T) {
	t.Parallel()
	r := rules(quotas{{User: anybody}: {kafka.QuotaControllerMutationRate: 2}})
	m := NewMeter(window, Window{10, time.Second}) // a burst of 20
	step := func(now time.Duration, n float64, strict bool, want string) {
		t.Helper()
		ok, wait := m.Mutate(r, alice, n, strict, now)
		if got := fmt.Sprintf("%t %v", ok, wait); got != want {
			t.Errorf("at %v %.0f partitions: %s, want %s", now, n, got, want)
		}
	}
	step(0, 50, true, "true 0s") // one request may be as large as it likes
	step(0, 1, true, "false 15s")
	step(5*time.Second, 1, true, "false 10s")
	step(5*time.Second, 4, false, "true 12s") // an older client is not refused, it waits
	step(17*time.Second, 1, true, "true 0s")
	if ok, wait := m.Mutate(r, Client{"bob", "app"}, 1, true, 0); !ok || wait != 0 {
		t.Error("another user is refused")
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	r := rules(quotas{
		{IP: named("10.0.0.1")}:        {kafka.QuotaConnectionCreationRate: 1},
		{IP: named("::ffff:10.0.0.1")}: {kafka.QuotaConnectionCreationRate: 9},
		{IP: anybody}:                  {kafka.QuotaConnectionCreationRate: 2},
	})
	m := NewMeter(window, window)
	count := func(host string, now time.Duration) (served int) {
		addr, ok := ParseHost(host)
		for range 100 {
			wait := m.Connect(r, addr, now)
			if !ok || wait < 0 || wait > time.Second {
				t.Fatalf("%s waits %v", host, wait)
			}
			if wait == 0 {
				served++
			}
		}
		return served
	}
	for _, x := range []struct {
		host string
		at   time.Duration
		want int
	}{
		{"10.0.0.1", 0, 10}, {"::ffff:10.0.0.1", 0, 0}, {"10.0.0.2", 0, 20}, {"fe80::1%eth0", 0, 20},
		{"10.0.0.1", 2 * time.Second, 0}, {"10.0.0.1", 13 * time.Second, 10},
	} {
		if got := count(x.host, x.at); got != x.want {
			t.Errorf("%s at %v: %d of 100 connections are served, want %d", x.host, x.at, got, x.want)
		}
	}
	if r := rules(quotas{{IP: named("10.0.0.1")}: {kafka.QuotaConnectionCreationRate: 1}}); m.Connect(r, netip.MustParseAddr("10.0.0.9"), 0) != 0 || r.OfClients() {
		t.Error("an address without a quota waits")
	}
}

// Client ids are for everybody to choose: those that went away are forgotten, those that
// have something to wait for are not.
func TestForgets(t *testing.T) {
	t.Parallel()
	r := rules(quotas{{ClientID: anybody}: {kafka.QuotaProducerByteRate: 1, kafka.QuotaControllerMutationRate: 1}})
	m := NewMeter(window, window)
	m.Mutate(r, alice, 1e6, false, 0)
	for i := range 20_000 {
		now := time.Duration(i) * 100 * time.Millisecond
		m.Use(r, Produce, Client{ID: fmt.Sprint(i)}, 1, now)
		m.Mutate(r, Client{ID: fmt.Sprint(i)}, 1, true, now)
	}
	if n := m.Accounts(); n > 2*sweepAt {
		t.Errorf("%d accounts are kept", n)
	}
	if ok, _ := m.Mutate(r, alice, 1, true, 2000*time.Second); ok {
		t.Error("who had overdrawn was forgotten")
	}
}
