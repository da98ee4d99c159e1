package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// World is everything a command sees of what is around it, so that tests can
// give it another one.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// InTerminal, OutTerminal and ErrTerminal tell whether a person sits at the other end.
	InTerminal, OutTerminal, ErrTerminal bool
}

// OS is the world of the process.
func OS() World {
	return World{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		InTerminal: terminal(os.Stdin), OutTerminal: terminal(os.Stdout), ErrTerminal: terminal(os.Stderr),
	}
}

// terminal tells whether f is a terminal. A character device that is not the
// null device is near enough, and needs no system call of its own per platform.
func terminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

// Colour is an SGR parameter of ECMA-48.
type Colour string

const (
	Bold Colour = "1"
	Red  Colour = "31"
	// Green and Yellow tell what is well again from what is not.
	Green  Colour = "32"
	Yellow Colour = "33"
)

// Paint returns s coloured if terminal is true and the user did not refuse
// colours with NO_COLOR (https://no-color.org).
func (w World) Paint(terminal bool, c Colour, s string) string {
	if !terminal || w.Getenv("NO_COLOR") != "" || w.Getenv("TERM") == "dumb" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// Confirm asks on stderr before something that cannot be undone. yes is the
// --yes flag. Without it and without a terminal to ask on, it is a usage error;
// an answer other than y or yes is an error, too.
func (w World) Confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !w.InTerminal || !w.ErrTerminal {
		return Usagef("%s Nobody is here to answer: repeat with --yes, or look first with --dry-run", question)
	}
	fmt.Fprintf(w.Err, "%s [y/N] ", question)
	line, err := bufio.NewReader(w.In).ReadString('\n')
	if err != nil && line == "" {
		return fmt.Errorf("no answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("not confirmed, nothing was changed")
}
