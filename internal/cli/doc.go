// Package cli is what the commands of cmd/leat share: the world around a
// command (World), flags that may also come from the environment, output as
// text, JSON or YAML, exit codes, offsets as people write them, and the client.
//
// The habits: what was asked for goes to stdout and nothing else does, so that
// stdout is always valid JSON with -o json; errors and progress go to stderr,
// progress only on a terminal; destructive commands ask first, or want --yes
// where nobody can answer.
package cli
