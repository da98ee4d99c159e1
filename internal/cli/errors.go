package cli

import (
	"errors"
	"fmt"
)

// Exit codes of every command.
const (
	ExitOK    = 0
	ExitError = 1 // the command failed, or any one of its items did
	ExitUsage = 2 // it was called wrongly; nothing was done
)

// usageError is a command called wrongly.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Usage marks err as a mistake in how the command was called; nil stays nil.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// Usagef is Usage of a formatted error.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// IsUsage tells whether err is a mistake in how the command was called.
func IsUsage(err error) bool {
	var u usageError
	return errors.As(err, &u)
}

// ExitCode is the exit code for what a command returned.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitOK
	case IsUsage(err):
		return ExitUsage
	}
	return ExitError
}

// Items counts the items of one command that went wrong. The zero value is
// ready for use.
type Items struct {
	total, failed int
}

// Add counts one item with its outcome and returns the error's text, "" for none.
func (i *Items) Add(err error) string {
	i.total++
	if err == nil {
		return ""
	}
	i.failed++
	return err.Error()
}

// Err is nil if nothing failed, else an error that counts what did.
func (i *Items) Err(noun string) error {
	if i.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d %s failed", i.failed, i.total, noun)
}
