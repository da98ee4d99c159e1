package audit

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
)

// checkRows wants one row per message, or the dead letter in its place.
func (a *auditor) checkRows() {
	for root, rows := range a.copies[a.join.To] {
		if a.messages[root] == nil {
			a.fault(Stranger, position(rows[0]), "a row of %q, which never was", root)
		}
	}
	for root, m := range a.messages {
		rows := a.copies[a.join.To][root]
		switch unread := len(a.bySource[a.join.Name][root]) > 0; {
		case len(rows) == 0 && unread && m.Withheld:
			a.rep.Withheld++
		case len(rows) == 0:
			a.fault(NoRow, root, "no row (dead letter of the join: %t, expected: %t)", unread, m.Withheld)
		case m.Withheld || unread:
			a.fault(Surprise, position(rows[0]), "a row of %s, which the join cannot read (expected: %t, dead letter of the join: %t)", root, m.Withheld, unread)
		default:
			a.checkRowsOf(m, rows)
		}
	}
}

func (a *auditor) checkRowsOf(m *message, rows []*kgo.Record) {
	a.rep.Rows++
	id := event.DerivedID(m.root, a.Pipeline.Group(a.join))
	var first *kgo.Record
	firsts := 0
	for i, r := range rows {
		if idOf(r) != id {
			a.fault(OtherID, position(r), "the row of %s has the id %s, it must be %s", m.root, idOf(r), id)
		}
		if why := differsInHeritage(m.Record, r); why != "" {
			a.fault(Altered, position(r), "the row of %s: %s", m.root, why)
		}
		switch {
		case amended(r):
			a.rep.Amended++
			if i > 0 && (same(rows[i-1].Value, r.Value) || !lacksParts(rows[i-1])) {
				a.fault(Surprise, position(r), "the row of %s is amended, and %s had nothing to amend", m.root, position(rows[i-1]))
			}
		case first == nil:
			first, firsts = r, 1
		default:
			firsts++
			if !same(first.Value, r.Value) {
				a.fault(Different, position(r), "a repeat of row %s differs from it", position(first))
			}
		}
	}
	if first == nil || amended(rows[0]) {
		a.fault(Surprise, position(rows[0]), "the first row of %s calls itself amended", m.root)
	}
	if most := a.rowReadings(m.root); firsts > most {
		a.fault(Repeated, position(rows[len(rows)-1]), "%d rows of %s, %d are allowed", firsts, m.root, most)
	}
	a.rep.Repeats[a.join.To] += max(firsts-1, 0)
	a.checkParts(m, rows[len(rows)-1])
}

func lacksParts(row *kgo.Record) bool {
	var v struct {
		Missing map[string]string `json:"missing"`
	}
	return json.Unmarshal(row.Value, &v) != nil || len(v.Missing) > 0
}

func amended(r *kgo.Record) bool {
	var v struct {
		Amended bool `json:"amended"`
	}
	return json.Unmarshal(r.Value, &v) == nil && v.Amended
}

// rowReadings is how often the join may have made a row: again after each kill at
// which some part of it was not committed.
func (a *auditor) rowReadings(root string) int {
	most := 1
	for _, in := range a.inputsOf(a.join, root) {
		most = max(most, a.readings(a.Pipeline.Group(a.join), in, 0))
	}
	return most
}

// checkParts wants each part of the row to be what its branch has, and each that
// lacks to have its dead letter.
func (a *auditor) checkParts(m *message, row *kgo.Record) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(row.Value, &fields); err != nil {
		a.fault(Part, position(row), "the row cannot be read: %v", err)
		return
	}
	missing := map[string]string{}
	if raw, ok := fields["missing"]; ok {
		if err := json.Unmarshal(raw, &missing); err != nil {
			a.fault(Part, position(row), "what is missing cannot be read: %v", err)
		}
	}
	branches := map[string]bool{}
	for _, b := range a.join.Join.Of {
		branches[b.Name] = true
		part, has := fields[b.Name]
		why, lacks := missing[b.Name]
		switch {
		case has == lacks:
			a.fault(Unexcused, position(row), "part %s of %s: in the row %t, missing with a reason %t", b.Name, m.root, has, lacks)
		case has:
			a.checkPart(m, row, b.Name, b.Topic, part)
		default:
			a.checkExcuse(m, row, b.Name, b.Topic, why)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(missing))) {
		if !branches[name] && name != "missing" && name != "amended" {
			a.fault(Part, position(row), "the row speaks of %s, which is no branch", name)
		}
	}
	if len(missing) == 0 {
		a.rep.Whole++
	} else {
		a.rep.Lacking++
	}
	got, want := slices.Sorted(maps.Keys(missing)), slices.Sorted(slices.Values(m.Lacks))
	if !slices.Equal(got, want) {
		a.fault(Surprise, position(row), "the row of %s lacks [%s], it should lack [%s]", m.root, strings.Join(got, " "), strings.Join(want, " "))
	}
}

func (a *auditor) checkPart(m *message, row *kgo.Record, branch, topic string, part json.RawMessage) {
	ins := a.copies[topic][m.root]
	if len(ins) == 0 {
		a.fault(Part, position(row), "%s has a part that %s has not", branch, topic)
		return
	}
	want := bytes.TrimSpace(ins[0].Value)
	if ins[0].Value == nil {
		want = []byte("null")
	}
	if !bytes.Equal(part, want) {
		a.fault(Part, position(row), "%s is not what %s has", branch, position(ins[0]))
	}
}

func (a *auditor) checkExcuse(m *message, row *kgo.Record, branch, topic, why string) {
	l := a.letters[why]
	switch {
	case l == nil:
		a.fault(Unexcused, position(row), "%s of %s is missing: %q, where no dead letter is", branch, m.root, why)
	case l.root != m.root:
		a.fault(Unexcused, position(row), "%s of %s is missing: %s, which is a dead letter of %s", branch, m.root, why, l.root)
	case !a.feeds(l.step, topic):
		a.fault(Unexcused, position(row), "%s of %s is missing: %s, a dead letter of step %s, through which it does not come", branch, m.root, why, l.step)
	}
}
