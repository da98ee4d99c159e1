package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// modernChange gathers what one request, or one passing of time, changes in a group of
// one of the newer types. Each change is made at once, so that the next decision sees
// it, and is put down as a record; end asks for the records to be written, and takes all
// back if the log refuses them. The caller of Step reports that before the next event.
type modernChange struct {
	c       *Coordinator
	g       *group
	records []Record
	undo    []func()
}

func (ch *modernChange) add(r Record, undo func()) {
	ch.records = append(ch.records, r)
	ch.undo = append(ch.undo, undo)
}

// become makes a classic group one of a newer type.
func (ch *modernChange) become(m modern) {
	g := ch.g
	if g.recorded() {
		ch.records = append(ch.records, Record{Key: g.key()})
	}
	old := g.classicGroup
	g.modern, g.classicGroup = m, newClassicGroup(time.Time{})
	ch.undo = append(ch.undo, func() { g.modern, g.classicGroup = nil, old })
	ch.c.touch(g)
}

// end writes what was gathered, then calls done (which may be nil): when it is
// durable, or with why it is not. Without changes done is called when what the group
// is now is durable.
func (ch *modernChange) end(done func(error)) {
	c := ch.c
	if len(ch.records) == 0 {
		if done != nil {
			c.whenShown(ch.g, done)
		}
		return
	}
	if done == nil {
		done = func(error) {}
	}
	c.touch(ch.g)
	if c.tooLarge(ch.records) {
		ch.drop()
		done(kerr.RecordListTooLarge)
		return
	}
	appended := false
	c.write(ch.g, ch.records, func() { appended = true }, func(err error) {
		if err != nil && !appended {
			ch.drop()
		}
		done(err)
	})
}

// answer is end for a request, which gets the answer or what failed makes of an error.
func (ch *modernChange) answer(t Token, answer any, failed func(error) any) {
	ch.end(ch.c.replying(t, answer, failed))
}

// drop takes back all that was changed.
func (ch *modernChange) drop() {
	for _, u := range slices.Backward(ch.undo) {
		u()
	}
	ch.records, ch.undo = nil, nil
	ch.c.touch(ch.g)
}
