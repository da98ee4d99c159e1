package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/load"
)

// measurement is one start of one broker.
type measurement struct {
	// ReadyMS is from starting the process until Metadata was answered.
	ReadyMS float64 `json:"readyMs"`
	// RSSBytes and IdleCPUSeconds are of the idle process: its memory after the
	// settling time, and the CPU it used within it.
	RSSBytes       int64   `json:"rssBytes"`
	IdleCPUSeconds float64 `json:"idleCpuSeconds"`
}

const (
	readyTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// measure starts the peer once on an empty directory, and stops it again.
func measure(ctx context.Context, p peer, dir string, settle time.Duration) (m measurement, err error) {
	port, err := freePort()
	if err != nil {
		return m, err
	}
	if err := p.prepare(ctx, dir, port); err != nil {
		return m, err
	}
	cmd := p.command(dir, port)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return m, err
	}
	proc := &process{cmd: cmd, ended: make(chan struct{})}
	go proc.wait()
	defer func() { err = errors.Join(err, proc.stop()) }()

	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := waitReady(ready, fmt.Sprintf("127.0.0.1:%d", port), proc); err != nil {
		return m, fmt.Errorf("%w\n%s", errors.Join(err, proc.stop()), tail(output.Bytes()))
	}
	m.ReadyMS = float64(time.Since(began)) / float64(time.Millisecond)

	before, err := load.ReadUsage(cmd.Process.Pid)
	if err != nil {
		return m, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return m, ctx.Err()
	}
	after, err := load.ReadUsage(cmd.Process.Pid)
	if err != nil {
		return m, err
	}
	m.RSSBytes, m.IdleCPUSeconds = after.RSSBytes, after.CPUSeconds-before.CPUSeconds
	return m, nil
}

// process is a started broker.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	err   error         // how, read after ended
}

func (p *process) wait() {
	p.err = p.cmd.Wait()
	close(p.ended)
}

// stop ends the process, kindly first.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("did not stop within %v", stopTimeout)
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// freePort returns a port whose successor is free, too: Kafka's controller takes it.
func freePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		l.Close()
		if err == nil {
			next.Close()
			return port, nil
		}
	}
	return 0, errors.New("no two free ports in a row")
}

// waitReady asks until Metadata is answered with a broker in it.
func waitReady(ctx context.Context, addr string, p *process) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := askMetadata(ctx, addr)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("ended by itself: %w", orNil(p.err))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		}
	}
}

func orNil(err error) error {
	if err == nil {
		return errors.New("with exit code 0")
	}
	return err
}

// askMetadata opens a connection and asks for Metadata once, without a client
// library: its retries would be measured along with the broker.
func askMetadata(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 1
	req.Topics = []kmsg.MetadataRequestTopic{}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > 1<<20 {
		return fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 1
	if err := resp.ReadFrom(body[4:]); err != nil {
		return err
	}
	if len(resp.Brokers) == 0 {
		return errors.New("no broker yet")
	}
	return nil
}
