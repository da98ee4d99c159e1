// Package flow runs declared pipelines as ordinary Kafka clients: it checks
// them against a cluster, makes the topics that lack, explains what would
// happen, and runs every step on a worker of its own.
//
// A step's handler is in step.go and handler.go, a join's shell around the
// machine of package join in joiner*.go, topics in topics*.go, what `leat explain`
// shows in plan*.go, one record through one step in try.go.
package flow
