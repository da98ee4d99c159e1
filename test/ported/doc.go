// Package ported runs the client-integration tests of Apache Kafka as they are
// ported to Go in the module of franz-go's kfake (its folder kafka_tests). The
// tests are taken from the module cache, unchanged. They are written against
// kfake's API: the package kfake beside this file has the part of it that they
// use, and starts a leat process for every test.
package ported

import (
	_ "embed"

	"github.com/leatdev/leat/test/suite"
)

// Module is where the tests are.
const Module = "github.com/twmb/franz-go/pkg/kfake"

//go:embed suite.txt
var list string

// Expected is the account of the tests.
func Expected() (suite.Suite, error) { return suite.Parse("suite.txt", list) }
