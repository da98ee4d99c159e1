// Package java runs Java's clients on Leat in what they have beyond producing and
// consuming (test/clients): share consumers that acknowledge each record themselves,
// transactional producers that fence each other, and what consumes, sends and commits in
// one transaction. The broker is killed in the middle of each.
package java
