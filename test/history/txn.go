package history

import (
	"slices"
	"strconv"
	"time"

	"github.com/leatdev/leat/internal/isolation"
)

// fate is what became of a transaction.
type fate struct {
	status Status
	asked  bool
	wrote  bool // else nobody was asked for an end
	span   isolation.Span
}

// fates finds out what became of each transaction: as its client was told; one whose
// end it has not asked for cannot be committed.
func fates(ops []Op) map[int64]*fate {
	all := map[int64]*fate{}
	for i := range ops {
		op := &ops[i]
		if op.Txn == 0 {
			continue
		}
		f := all[op.Txn]
		if f == nil {
			f = &fate{status: Failed}
			all[op.Txn] = f
		}
		f.wrote = f.wrote || op.Kind == Commit || op.Kind == Send && op.Status == OK
		if op.Kind != End {
			if !f.asked {
				f.span = isolation.Span{Start: op.End, End: isolation.Never}
			}
			continue
		}
		f.asked, f.span = true, isolation.Span{Start: op.Start, End: op.End}
		switch {
		case op.Status == Unknown:
			f.span.End = isolation.Never
			if !op.Abort {
				f.status = Unknown
			}
		case op.Status == OK && !op.Abort:
			f.status = OK
		}
	}
	for _, f := range all {
		if !f.wrote {
			f.status, f.span.End = Unknown, isolation.Never
		}
	}
	return all
}

// settle puts the fate of their transactions in the place of what the operations in
// them were answered: a Send and a Commit count when the transaction is committed.
// One of unknown outcome is, once somebody has read of it.
func settle(ops []Op) []Op {
	all := fates(ops)
	if len(all) == 0 {
		return ops
	}
	seen := map[int64]bool{}
	for i := range ops {
		if ops[i].Kind == Poll {
			for _, m := range ops[i].Messages {
				seen[m.Value] = true
			}
		}
	}
	for i := range ops {
		if f := all[ops[i].Txn]; f != nil && f.status == Unknown && ops[i].Kind == Send && slices.ContainsFunc(ops[i].Messages, func(m Message) bool { return seen[m.Value] }) {
			f.status = OK
		}
	}
	out := make([]Op, 0, len(ops))
	for _, op := range ops {
		f := all[op.Txn]
		switch {
		case f == nil:
		case op.Kind == Send && (op.Status == OK || f.status == Failed):
			op.Status = f.status
		case op.Kind == Commit:
			if f.status == Failed {
				continue
			}
			op.Status, op.Start, op.End = f.status, f.span.Start, f.span.End
			if op.End == isolation.Never { // nobody was told; it is done with, or never will be
				op.Status, op.End = Unknown, f.span.Start
			}
		}
		out = append(out, op)
	}
	return out
}

// transactions is the history as the search for cycles takes it.
func transactions(ops []Op) isolation.History {
	var h isolation.History
	all := fates(ops)
	if len(all) == 0 {
		return h
	}
	records := func(op *Op) (rs []isolation.Record) {
		for _, m := range op.Messages {
			rs = append(rs, isolation.Record{Key: m.Key, Offset: m.Offset, Value: strconv.FormatInt(m.Value, 10)})
		}
		return rs
	}
	inits := map[string]int{} // by client
	number := map[int64]int{} // of a transaction in h
	of := func(op *Op) int {
		if op.Txn == 0 {
			return isolation.NoTxn
		}
		n, ok := number[op.Txn]
		if !ok {
			f := all[op.Txn]
			n = len(h.Txns)
			number[op.Txn] = n
			t := isolation.Txn{Name: "transaction " + strconv.FormatInt(op.Txn, 10) + " of " + op.Client, Init: -1, End: f.span}
			switch f.status {
			case OK:
				t.Outcome = isolation.Committed
			case Failed:
				t.Outcome = isolation.Aborted
			}
			if i, ok := inits[op.Client]; ok {
				t.Init = i
			}
			h.Txns = append(h.Txns, t)
		}
		return n
	}
	for i := range ops {
		op := &ops[i]
		span := isolation.Span{Start: op.Start, End: op.End}
		switch op.Kind {
		case Init:
			inits[op.Client] = len(h.Inits)
			h.Inits = append(h.Inits, isolation.Init{Span: span, Client: op.Client, ID: op.ID, Order: op.Order})
		case Send:
			if op.Status != OK {
				span.End = isolation.Never
			}
			for _, rec := range records(op) { // each is appended at a moment of its own
				h.Sends = append(h.Sends, isolation.Send{Span: span, Client: op.Client, Txn: of(op), Records: []isolation.Record{rec}})
			}
		case Poll:
			h.Polls = append(h.Polls, isolation.Poll{Span: span, Client: op.Client, Txn: of(op), Records: records(op)})
		case Stable:
			h.Stables = append(h.Stables, isolation.Stable{Span: span, Client: op.Client, Ends: op.Offsets})
		case Commit:
			if n := of(op); n != isolation.NoTxn {
				h.Txns[n].Group, h.Txns[n].Offsets = op.Group, op.Offsets
			}
		case Fetch:
			if op.Group != "" {
				h.Groups = map[string]map[string]int64{op.Group: op.Offsets}
			}
		case End:
			of(op)
		}
	}
	return h
}

// spanning counts the transactions that were open at a moment, and the operations that
// waited for an answer at it.
func spanning(ops []Op, at time.Duration) (open, waiting int) {
	begun, over := map[int64]bool{}, map[int64]bool{}
	for i := range ops {
		op := &ops[i]
		if op.Start < at && at < op.End && (op.Kind == Send || op.Kind == End || op.Kind == Init) {
			waiting++
		}
		if op.Txn == 0 {
			continue
		}
		if op.Start < at {
			begun[op.Txn] = true
		}
		if op.Kind == End && op.End > at {
			over[op.Txn] = true
		}
	}
	for txn := range begun {
		if over[txn] {
			open++
		}
	}
	return open, waiting
}
