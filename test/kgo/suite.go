// Package kgo runs the tests that franz-go ships with its client against a leat
// process, unchanged, as they lie in the module cache.
package kgo

import (
	_ "embed"

	"github.com/leatdev/leat/test/suite"
)

// Module is where the tests are.
const Module = "github.com/twmb/franz-go"

//go:embed suite.txt
var list string

// Expected is the account of the tests.
func Expected() (suite.Suite, error) { return suite.Parse("suite.txt", list) }
