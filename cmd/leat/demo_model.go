package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/examples/support"
)

// demoModelCommand runs one of the demo's models as a process of its own. It is
// for the demo alone, and hidden.
const demoModelCommand = "demo-model"

func (a *app) demoModel() *cobra.Command {
	s := support.Server{Stdin: a.In, Stdout: a.Out}
	cmd := &cobra.Command{
		Use:     demoModelCommand + " tagger|mood|class",
		Short:   "Run one of the demo's models; mood and class end with their input",
		Example: "  leat demo-model class --max-chars 10000",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.Model = args[0]
			if s.Model == "tagger" {
				return s.Run(cmd.Context())
			}
			// The demo holds the other end of the input: when it is gone, however
			// it went, so are we.
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			go func() {
				io.Copy(io.Discard, a.In)
				cancel()
			}()
			s.Ready = func(url string) { fmt.Fprintln(a.Out, url) }
			return s.Run(ctx)
		},
	}
	cmd.Flags().StringVar(&s.Listen, "listen", "127.0.0.1:0", "host:port of mood and class")
	cmd.Flags().IntVar(&s.MaxChars, "max-chars", support.DefaultMaxChars, "longest text that class reads, in characters")
	return cmd
}

// modelProcess is a model server in a process of its own.
type modelProcess struct {
	url   string
	addr  string // host:port
	cmd   *exec.Cmd
	stdin io.Closer
}

// startModel starts a model server and waits until it listens.
func startModel(ctx context.Context, exe, model, listen string, args ...string) (*modelProcess, error) {
	cmd := exec.CommandContext(ctx, exe, append([]string{demoModelCommand, model, "--listen", listen}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the model %s: %w", model, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stdin.Close()
		return nil, fmt.Errorf("the model %s did not start: %w: %s", model, errors.Join(err, cmd.Wait()), stderr.String())
	}
	m := &modelProcess{url: strings.TrimSpace(line), cmd: cmd, stdin: stdin}
	_, rest, _ := strings.Cut(m.url, "://")
	m.addr, _, _ = strings.Cut(rest, "/")
	return m, nil
}

// kill ends the process at once, as a crash would.
func (m *modelProcess) kill() {
	m.cmd.Process.Kill()
	m.cmd.Wait()
	m.stdin.Close()
}

// stop asks the process to end and waits for it, not for long.
func (m *modelProcess) stop() error {
	if m == nil || m.cmd.ProcessState != nil {
		return nil
	}
	m.stdin.Close()
	late := time.AfterFunc(5*time.Second, func() { m.cmd.Process.Kill() })
	defer late.Stop()
	return m.cmd.Wait()
}

// modelSlot is where a model's present process is known.
type modelSlot struct {
	mu sync.Mutex
	m  *modelProcess
}

func (s *modelSlot) get() *modelProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m
}

func (s *modelSlot) set(m *modelProcess) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m = m
}

func (s *modelSlot) stop() error { return s.get().stop() }
