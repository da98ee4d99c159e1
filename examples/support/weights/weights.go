// Package weights carries the shipped weights of the example's models, made by
// `go run ./examples/support/train` from the example's own data.
package weights

import "embed"

// Files are the weights, one gzipped JSON file a model.
//
//go:embed *.json.gz
var Files embed.FS
