package main

import (
	"fmt"
	"sync"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/internal/cli"
)

// screen is what the demo prints: rows on standard output, and the story around
// them too, unless rows are JSON lines: then it goes to standard error.
type screen struct {
	app *app
	mu  sync.Mutex
}

func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.app.Out
	if s.app.out.Machine() {
		w = s.app.Err
	}
	fmt.Fprintf(w, format+"\n", args...)
}

// note is a line that should not be missed among the rows.
func (s *screen) note(c cli.Colour, format string, args ...any) {
	s.say("%s", s.app.Paint(s.app.OutTerminal, c, "** "+fmt.Sprintf(format, args...)))
}

func (s *screen) row(row map[string]any) {
	if s.app.out.Machine() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.app.out.Line(row)
		return
	}
	s.say("%s", support.Line(row))
}
