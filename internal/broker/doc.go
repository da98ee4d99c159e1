// Package broker brings the log, the catalogue and the coordinators together:
// topics and their partitions, produce, fetch and waiting, and the shell that
// runs the pure machines of internal/coord on the store.
//
// It knows nothing of connections and frames: package wire turns requests into
// calls of Broker, and its errors (kerr values, catalog.Refusal) into codes.
package broker
