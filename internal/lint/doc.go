// Package lint holds the house's rules as Go tests: the walls between rooms
// (arrows.go, in the words of docs/ARCHITECTURE.md) and the house rules
// (house.go, docs.go). A rule is a function from the source tree to what it
// finds wrong; lint_test.go runs each on this repository, where it must find
// nothing, and on a small tree with a planted fault (testdata), which it must
// find.
package lint
