// Package event is the vocabulary of events on Kafka records: CloudEvents
// attributes, identity and correlation, trace context.
//
// Which headers carry what is decided in docs/decisions/event-identity.md:
//
//	ce_*, content-type                CloudEvents, Kafka protocol binding 1.0.2, binary mode
//	leat-event-id                     id of an event that is not a CloudEvent
//	leat-correlation-id               id of the root event
//	leat-origin                       topic/partition/offset of a redriven record's first life
//	leat-pipeline, leat-step          what made a result
//	leat-model, leat-model-version    with which model
//	traceparent, tracestate, baggage  W3C trace context, passed on as it came
package event
