// Package openinference tests the model protocol v2 against MLServer, a server
// of the Open Inference Protocol that others wrote. run.sh installs and serves it.
package openinference
