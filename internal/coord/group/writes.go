package group

import "github.com/leatdev/leat/internal/coord/ledger"

// change is a Write that is under way: of a group, nil for the end of a transaction; apply
// (may be nil) is what it changes.
type change struct {
	group *group
	apply func()
}

// write asks for records to be appended. apply runs when they are (the log has
// an order then, though not yet the disk), done when they are durable or when
// that has failed or was refused. Either may be nil.
func (c *Coordinator) write(g *group, records []Record, apply func(), done func(error)) {
	id := c.writes.Add(change{g, apply}, done)
	g.asked++
	c.out.Writes = append(c.out.Writes, Write{ID: id, Records: records})
}

// tooLarge says whether records are more than a client may have written at once.
func (c *Coordinator) tooLarge(records []Record) bool {
	const overhead = 16 // of a record, about; the batch's own is counted once
	n := 61
	for _, r := range records {
		n += len(r.Key) + len(r.Value) + overhead
	}
	return c.cfg.MaxWriteBytes > 0 && n > c.cfg.MaxWriteBytes
}

func (c *Coordinator) appended(e Appended) {
	w, refused, ok := c.writes.Appended(e.ID, e.Err)
	if !ok {
		return
	}
	w.group.asked--
	c.touch(w.group)
	if e.Err == nil {
		w.group.lastWrite = e.ID
		w.group.persisted = true
		if w.apply != nil {
			w.apply()
		}
	} else if refused != nil {
		refused(e.Err)
	}
}

// whenShown runs f when what is known of g now is durable: at once if it is.
// Without a group it waits for everything: the group may have just been deleted.
func (c *Coordinator) whenShown(g *group, f func(error)) {
	id := c.writes.Last()
	if g != nil {
		id = g.lastWrite
	}
	c.writes.When(id, f)
}

// replying sends the answer, or what failed makes of an error: when it is told that what
// the answer shows is durable, or that it will never be.
func (c *Coordinator) replying(t Token, answer any, failed func(error) any) func(error) {
	return func(err error) {
		if err != nil {
			answer = failed(err)
		}
		c.reply(t, answer)
	}
}

// codeOf is what a client is told about a failed append.
func codeOf(err error) int16 { return ledger.Code(err) }
