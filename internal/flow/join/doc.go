// Package join is the state machine of a pipeline's joins: parts of rows,
// announcements that a part will not come, and time go in; effects come out. It
// has no goroutine, clock, socket or file. One Machine works for one partition;
// its shell holds the messages and carries the effects out.
//
// A row is open while it waits for parts; its messages are held. It closes when
// all its parts are there, when those that lack are known to be lost, or when
// its time is over. A closed row that lacks parts is kept, so that a late part
// can amend it; a complete one is done, and what comes again for it is a repeat.
//
// Time: a row waits `within` in event time: until each branch it lacks has gone
// past the row's time by that much. A branch on which nothing arrives does not
// move in event time; for it the wall clock since the later of the branch's and
// the row's last part decides. Branches are looked at one by one, so one that
// is far ahead (a replay, a paused model behind another branch) closes no row.
// A timestamp from the future counts as now, so that one wrong clock does not
// end every row.
//
// Repeats: after a restart or when a step was killed, parts come again. A part
// is a repeat when its branch is in the row already, or when its row is done: in
// the memory of done rows, or, when the topic of the root events is a branch
// itself, because that branch has been read beyond the part's root.
package join
