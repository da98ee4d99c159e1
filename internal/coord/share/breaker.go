package share

import "fmt"

// breaker pauses the delivery when dead letters flood: a consumer whose backend is
// down, or that cannot read anything since its last release, would send everything
// there is to the dead-letter topic. It is closed (all is well), open (nothing is
// delivered until a moment), or half open: a few records are out, and the first one
// that is accepted closes it.
type breaker struct {
	until int64 // open until then; 0 = not open
	half  bool
	why   string

	began      int64 // of the present window
	ok, dead   int64 // in it
	ok1, dead1 int64 // in the one before
}

// probeShare of BreakerDead is how many records are out at a time while the breaker
// is half open.
const probeShare = 10

func (c *Config) probe() int64 { return int64(max(1, c.BreakerDead/probeShare)) }

// outcome counts records that were accepted and that became dead letters.
func (p *Partition) outcome(t, ok, dead int64) {
	b := &p.breaker
	p.dead += dead
	if w := int64(p.cfg.BreakerWindow); t >= b.began+w {
		if t >= b.began+2*w {
			b.ok, b.dead = 0, 0
		}
		b.ok1, b.dead1, b.ok, b.dead, b.began = b.ok, b.dead, 0, 0, t
	}
	b.ok += ok
	b.dead += dead
	switch {
	case b.until != 0:
	case b.half && ok > 0:
		b.half, b.why = false, ""
		b.dead, b.dead1 = 0, 0
		p.out.Wake = true
		p.out.Note = "a record was accepted again: the delivery goes on"
	case b.half && b.dead >= p.cfg.probe():
		p.trip(t, "records still become dead letters")
	case !b.half && p.cfg.BreakerDead > 0 && b.dead+b.dead1 >= int64(p.cfg.BreakerDead) && b.dead+b.dead1 > b.ok+b.ok1:
		p.trip(t, fmt.Sprintf("%d records became dead letters within %s, and %d were accepted", b.dead+b.dead1, p.cfg.BreakerWindow, b.ok+b.ok1))
	}
}

// trip opens the breaker.
func (p *Partition) trip(t int64, why string) {
	b := &p.breaker
	b.until, b.half, b.why = after(t, p.cfg.BreakerPause), true, why
	b.ok, b.dead, b.ok1, b.dead1 = 0, 0, 0, 0
	p.wakeAt(b.until)
	p.out.Note = fmt.Sprintf("the delivery is paused for %s: %s", p.cfg.BreakerPause, why)
}

// paused says that nothing is delivered.
func (p *Partition) paused(t int64) bool { return p.breaker.until != 0 && t < p.breaker.until }

// rested lets the breaker go from open to half open when it is time.
func (p *Partition) rested(t int64) {
	if p.breaker.until != 0 && t >= p.breaker.until {
		p.breaker.until, p.buryAt = 0, 0
		p.out.Wake = true
	}
}
