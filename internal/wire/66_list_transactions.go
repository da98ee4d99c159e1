package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ListTransactions: v0-2 (KIP-664)
//
// Behaviour:
//   - Transactional ids by states, producer ids, how long they are open, and a
//     pattern; names of states that do not exist come back.
//
// Versions:
//   - v1: only those that are open for longer (KIP-994)
//   - v2: a pattern of the whole transactional id (KIP-1152), RE2's syntax
func (a *api) listTransactions(_ *Request, req *kmsg.ListTransactionsRequest) Reply {
	p, reply := later()
	a.broker.Txns.List(req, func(resp *kmsg.ListTransactionsResponse) { p.Answer(resp) })
	return reply
}
