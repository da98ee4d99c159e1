package support

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Server is one model as a process of its own: what `examples/support/serve`
// and the demo's child processes run.
type Server struct {
	// Model is tagger (protocol exec), mood (v2) or class (http).
	Model string
	// Weights is the folder of the weights; "" for the shipped ones.
	Weights string
	// Listen is the address of mood and class, port 0 for any free one.
	Listen string
	// MaxChars is the longest text that class reads, in characters; 0 means
	// DefaultMaxChars.
	MaxChars int
	// Stdin and Stdout carry the tagger's lines.
	Stdin  io.Reader
	Stdout io.Writer
	// Ready, if not nil, is told the URL for the pipeline file (of mood without
	// /v2, of class with its path) once mood or class listens.
	Ready func(url string)
}

// Run serves until ctx ends, the tagger until Stdin does. Both are no error.
func (s Server) Run(ctx context.Context) error {
	if s.MaxChars == 0 {
		s.MaxChars = DefaultMaxChars
	}
	if s.MaxChars < 0 || s.MaxChars > MaxChars {
		return fmt.Errorf("--max-chars %d: give a number from 1 to %d", s.MaxChars, MaxChars)
	}
	models, err := Open(s.Weights)
	if err != nil {
		return err
	}
	switch s.Model {
	case "tagger":
		return ServeExec(ctx, s.Stdin, s.Stdout, models.Tag)
	case "mood":
		return s.listen(ctx, "", models.V2Handler())
	case "class":
		return s.listen(ctx, "/classify", HTTPHandler("/classify", models.Class(s.MaxChars)))
	}
	return fmt.Errorf("%q is no model that is served here: say tagger, mood or class", s.Model)
}

func (s Server) listen(ctx context.Context, path string, handler http.Handler) error {
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("model %s: %w", s.Model, err)
	}
	if s.Ready != nil {
		s.Ready("http://" + ln.Addr().String() + path)
	}
	return Serve(ctx, ln, handler)
}
