// Package support runs the support desk of examples/support on real text, through
// real processes that are killed in the middle, and counts every record afterwards.
//
//	go test ./support            600 messages, one kill; the same with the tagger in Python; the demo
//	go test ./support -full      all 13,083 messages of BANKING77, two kills (also LEAT_FULL=1)
//
// A broker (`leat serve`), two model servers and the runner (`leat run`) with its
// tagger are processes of their own. The runner is frozen until it is seen to have
// results in their topics whose messages are not committed, and then killed with
// SIGKILL; a model server is killed and comes back while its step pauses. Among the
// messages are those that somebody gets wrong (input_test.go); what must become of
// each is known beforehand. Package audit holds everything that came out against
// everything that went in.
//
// The messages are looked for in LEAT_DATA, else in ../shared/data beside the
// repository; without them the tests are skipped by name, or fail when LEAT_REQUIRE
// is set.
package support
