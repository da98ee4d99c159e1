package share

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// verdict is what is said about a range, all in one type.
type verdict struct {
	span
	what Type
}

func (p *Partition) acknowledge(t int64, e *Acknowledge) {
	if code := p.verdicts(e.Acks); code != 0 {
		p.out.Code = code
		return
	}
	if len(p.acks) == 0 {
		return // all of it lies before the start: it is finished already
	}
	who := p.findMember(e.Member)
	var accepted, dead int64
	renewed := false
	out, i := p.rewrite(), 0
	for _, r := range p.runs {
		for r.first <= r.last {
			for i < len(p.acks) && p.acks[i].last < r.first {
				i++
			}
			if i == len(p.acks) || p.acks[i].first > r.last {
				break
			}
			v := p.acks[i]
			out = cut(out, &r, v.first)
			piece := r
			piece.last = min(r.last, v.last)
			if piece.state != Acquired || piece.member != who {
				p.out.Code = kerr.InvalidRecordState.Code
				return
			}
			switch v.what {
			case Gap:
				piece.state = Archived
			case Accept:
				piece.state = Acknowledged
				accepted += piece.size()
			case Release:
				if e.Closing {
					p.handBack(&piece)
				} else {
					p.failed(t, &piece)
				}
			case Reject:
				p.die(&piece, Rejected)
				p.out.Rejected = p.out.Rejected || piece.state == Dying
			case Renew:
				if !p.cfg.Renew {
					p.out.Code = kerr.InvalidRecordState.Code
					return
				}
				piece.lock, piece.kept = after(t, p.cfg.LockDuration), p.cfg.LockDuration > p.cfg.KeepLocks
				renewed = true
			}
			if piece.state == Archived && v.what != Gap {
				dead += piece.size()
			}
			if v.what != Renew || piece.kept {
				p.touched = append(p.touched, span{piece.first, piece.last})
			}
			p.out.Wake = p.out.Wake || piece.state == Available
			out = push(out, piece)
			r.first = piece.last + 1
		}
		if r.first <= r.last {
			out = push(out, r)
		}
	}
	open := p.open
	p.rewritten(out)
	p.outcome(t, accepted, dead)
	if p.open < open && open >= int64(p.cfg.MaxLocks) || p.breaker.half {
		p.out.Wake = true // there is room again
	}
	if !renewed || len(p.touched) > 0 {
		p.change()
	}
}

// verdicts sorts the acknowledgements into p.acks, one type each, and cuts off what
// lies before the start. The code is the protocol's when they make no sense.
func (p *Partition) verdicts(acks []Ack) int16 {
	p.acks = p.acks[:0]
	sorted := true
	for _, a := range acks {
		n := a.Last - a.First + 1
		if a.First < 0 || n <= 0 || len(a.Types) != 1 && int64(len(a.Types)) != n {
			return kerr.InvalidRequest.Code
		}
		for _, typ := range a.Types {
			if typ < int8(Gap) || typ > int8(Renew) {
				return kerr.InvalidRequest.Code
			}
		}
		if a.Last < p.start {
			continue
		}
		if a.First >= p.end && len(p.runs) == 0 {
			return kerr.InvalidRecordState.Code // nothing is acquired at all
		}
		if a.Last >= p.end {
			return kerr.InvalidRequest.Code // never delivered
		}
		for at := int64(0); at < n; {
			to := n
			what := a.Types[0]
			if len(a.Types) > 1 {
				what = a.Types[at]
				for to = at + 1; to < n && a.Types[to] == what; to++ {
				}
			}
			v := verdict{span{max(p.start, a.First+at), a.First + to - 1}, Type(what)}
			at = to
			if v.last < p.start {
				continue
			}
			if k := len(p.acks); k > 0 && v.first <= p.acks[k-1].last {
				sorted = false
			}
			p.acks = append(p.acks, v)
		}
	}
	if sorted {
		return 0
	}
	slices.SortFunc(p.acks, func(a, b verdict) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(p.acks); i++ {
		if p.acks[i].first <= p.acks[i-1].last {
			return kerr.InvalidRecordState.Code // acknowledged twice
		}
	}
	return 0
}
