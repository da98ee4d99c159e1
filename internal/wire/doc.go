// Package wire is the Kafka door: it turns bytes of connections into calls of
// handlers, and their answers into bytes.
//
// # A connection
//
// One goroutine per connection reads frames, decodes each into a kmsg request
// and calls its handler, one after the other, in the order of arrival. A second
// one writes the answers, in the order of the requests. A handler returns a
// Reply, which may be completed later, from any goroutine: the reader goes on
// meanwhile, so several produce requests of one connection share one flush, and
// a parked fetch delays later answers but never later appends. How many requests
// and bytes may be under way at once is bounded per connection and for the whole
// server; at the bound the socket is simply not read.
//
// What cannot be decoded closes that one connection, with the reason in the log.
// So does a handler that panics. Nothing a client sends reaches another
// connection.
//
// # A handler
//
// Each API key has a file of its own, NN_name.go, with one method of api:
//
//	func (a *api) metadata(r *Request, req *kmsg.MetadataRequest) Reply
//
// and one line in the table of handlers.go. Rules:
//
//   - The version was checked, the body decoded whole: a handler sees no junk.
//     The request and its bytes belong to the handler; the connection reads
//     every frame into memory of its own.
//   - Answer with answer(resp), resp made by req.ResponseKind() (it carries the
//     version). Fill in every topic and partition that was asked about.
//   - Wait for a flush (milliseconds) either in place, or with later(): that one
//     returns a Pending, to be completed exactly once, and does not block.
//   - Wait for anything longer (data, other members) only with later(). Such a
//     wait ends when r.Ctx does (the client is gone, or the server stops): answer
//     at once with what there is. context.AfterFunc fits.
//   - Never start a bare goroutine: a panic there would take the process. r.run
//     runs a function on its own goroutine and answers with what it returns.
//   - No answer at all (produce with acks=0) is noAnswer(); closing the
//     connection with a reason is hangUp(err).
//   - Errors become codes by code(err), in one place: a *kerr.Error is itself,
//     anything else UNKNOWN_SERVER_ERROR and a log line.
package wire
