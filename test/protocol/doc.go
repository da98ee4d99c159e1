// Package protocol keeps docs/protocol.md true: its tables are what a leat process
// answers and what the client suites check.
//
//	go test ./protocol -rewrite        writes the tables anew
package protocol
