// Package kafkago runs the tests that segmentio/kafka-go ships with its client
// against leat processes, unchanged, as they lie in the module cache, with the
// broker's settings of its own docker-compose.yml.
package kafkago

import (
	_ "embed"

	"github.com/leatdev/leat/test/suite"
)

// Module is where the tests are.
const Module = "github.com/segmentio/kafka-go"

//go:embed suite.txt
var list string

// Expected is the account of the tests.
func Expected() (suite.Suite, error) { return suite.Parse("suite.txt", list) }
