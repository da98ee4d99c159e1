// Package pipeline holds the words of a declared pipeline: the declaration as a
// program sees it, the parser and checker of its YAML form, its expressions, and
// the [Model] interface that built-in models and a program's own share.
//
// [Parse] is pure: bytes in, pipelines or all their mistakes out, each with file,
// line and column. What runs a pipeline is not here.
package pipeline
