// Package backup has a real server back itself up while real clients produce, kills it
// in the middle of a backup, and brings backups back: what was acknowledged before a
// backup began is in it, and half a backup is none.
package backup
