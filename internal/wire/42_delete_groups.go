package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// DeleteGroups: v0-3
//
// Behaviour:
//   - Groups with members are NON_EMPTY_GROUP; what is deleted goes with its
//     offsets, and is gone on disk when it is answered.
//
// Versions:
//   - v3: a message with each error
func (a *api) deleteGroups(r *Request, req *kmsg.DeleteGroupsRequest) Reply {
	p, reply := later()
	a.broker.Groups.Delete(req, func(resp *kmsg.DeleteGroupsResponse) {
		if !a.broker.Shares.Has(resp) {
			p.Answer(resp)
			return
		}
		// Where a share group stood goes after it.
		go func() {
			if err := guard(func() { a.forgetShares(r, resp) }); err != nil {
				p.HangUp(err)
				return
			}
			p.Answer(resp)
		}()
	})
	return reply
}

// forgetShares deletes the places of the groups that were deleted.
func (a *api) forgetShares(r *Request, resp *kmsg.DeleteGroupsResponse) {
	for i := range resp.Groups {
		g := &resp.Groups[i]
		if g.ErrorCode != 0 {
			continue
		}
		if err := a.broker.Shares.GroupDeleted(g.Group); err != nil {
			g.ErrorCode, g.ErrorMessage = a.code(r, err), explain(err)
		}
	}
}
