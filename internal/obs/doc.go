// Package obs is how Leat lets itself be watched: its log (log/slog) and its
// Prometheus registry. What a person asked for on the command line and did not
// get is not a log line: commands return it as an error, and main prints it.
package obs
