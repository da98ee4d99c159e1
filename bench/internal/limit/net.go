package limit

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	request = 1100 // a Produce request with a record of 1 KiB, about
	answer  = 64
	buffer  = 256 << 10 // that is received at once
)

// serve lets a loop work on one connection that it accepts.
func serve(loop func(*net.TCPConn, Job) (Outcome, error)) func(Job) (Outcome, error) {
	return func(j Job) (Outcome, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return Outcome{}, err
		}
		if _, err := fmt.Printf("listen %s\n", l.Addr()); err != nil {
			return Outcome{}, errors.Join(err, l.Close())
		}
		c, err := l.Accept()
		if err := errors.Join(err, l.Close()); err != nil {
			return Outcome{}, err
		}
		defer c.Close()
		return loop(c.(*net.TCPConn), j)
	}
}

// opposite is the other side of a loop, in the process that measures.
func opposite(c net.Conn, j Job) ([]time.Duration, error) {
	began := time.Now()
	switch j.Loop {
	case Echo, EchoSync:
		var latencies []time.Duration
		out, in := make([]byte, request), make([]byte, answer)
		for time.Since(began) < j.For {
			sent := time.Now()
			if _, err := c.Write(out); err != nil {
				return nil, err
			}
			if _, err := io.ReadFull(c, in); err != nil {
				return nil, err
			}
			latencies = append(latencies, time.Since(sent))
		}
		return latencies, nil
	case Receive, ReceiveLog, ReceiveAcked:
		out := make([]byte, buffer)
		for time.Since(began) < j.For {
			if _, err := c.Write(out); err != nil {
				return nil, err
			}
		}
		return nil, nil
	default:
		in := make([]byte, 4<<20)
		for {
			if _, err := c.Read(in); err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				return nil, err
			}
		}
	}
}

func echo(c *net.TCPConn, _ Job) (Outcome, error) {
	return echoed(c, func([]byte) error { return nil })
}

func echoSync(c *net.TCPConn, j Job) (Outcome, error) {
	f, err := filledFile(j.Dir, recycled)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(f)
	var at int64
	return echoed(c, func(b []byte) error {
		if _, err := f.WriteAt(b[:record], at); err != nil {
			return err
		}
		at = (at + record) % recycled
		return unix.Fdatasync(int(f.Fd()))
	})
}

// echoed answers each request after before.
func echoed(c *net.TCPConn, before func([]byte) error) (Outcome, error) {
	var o Outcome
	in, out := make([]byte, request), make([]byte, answer)
	s := start()
	for {
		if _, err := io.ReadFull(c, in); err != nil {
			s.stop(&o)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return o, err
		}
		if err := before(in); err != nil {
			return o, err
		}
		if _, err := c.Write(out); err != nil {
			return o, err
		}
		o.Ops, o.Bytes = o.Ops+1, o.Bytes+request
	}
}

func receive(c *net.TCPConn, _ Job) (Outcome, error) {
	return received(c, func(b []byte, o *Outcome) error {
		o.Bytes, o.Ops = o.Bytes+int64(len(b)), o.Ops+1
		return nil
	})
}

func receiveLog(c *net.TCPConn, j Job) (Outcome, error) {
	f, err := filledFile(j.Dir, 0)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(f)
	table := crc32.MakeTable(crc32.Castagnoli)
	var sum uint32
	return received(c, func(b []byte, o *Outcome) error {
		sum ^= crc32.Checksum(b, table)
		return appendSynced(f, b, o)
	})
}

const (
	ackedFiles = 4
	ackedEvery = 5 // of buffer
)

func receiveAcked(c *net.TCPConn, j Job) (Outcome, error) {
	log, err := filledFile(j.Dir, recycled)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(log)
	var files [ackedFiles]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(j.Dir, strconv.Itoa(i)))
		if err != nil {
			return Outcome{}, err
		}
		defer discard(f)
		files[i] = f
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	var sum uint32
	var at int64
	group := make([]byte, 4<<10)
	return received(c, func(b []byte, o *Outcome) error {
		for i, f := range files {
			part := b[i*len(b)/ackedFiles : (i+1)*len(b)/ackedFiles]
			sum ^= crc32.Checksum(part, table)
			if _, err := f.Write(part); err != nil {
				return err
			}
		}
		if o.Bytes, o.Ops = o.Bytes+int64(len(b)), o.Ops+1; o.Ops%ackedEvery != 0 {
			return nil
		}
		for _, f := range files {
			if err := unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE); err != nil {
				return err
			}
		}
		for _, f := range files {
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				return err
			}
		}
		if _, err := log.WriteAt(group, at); err != nil {
			return err
		}
		at = (at + int64(len(group))) % recycled
		return unix.Fdatasync(int(log.Fd()))
	})
}

func received(c *net.TCPConn, each func([]byte, *Outcome) error) (Outcome, error) {
	var o Outcome
	in := make([]byte, buffer)
	s := start()
	for {
		n, err := io.ReadFull(c, in)
		if n > 0 {
			if err := each(in[:n], &o); err != nil {
				return o, err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			s.stop(&o)
			return o, nil
		}
		if err != nil {
			return o, err
		}
	}
}

func sendfile(c *net.TCPConn, j Job) (Outcome, error) {
	// ReadFrom of a LimitedReader on a file is sendfile(2).
	return sent(c, j, func(f *os.File, at int64, n int64) error {
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			return err
		}
		_, err := c.ReadFrom(&io.LimitedReader{R: f, N: n})
		return err
	})
}

func pread(c *net.TCPConn, j Job) (Outcome, error) {
	b := make([]byte, chunk)
	return sent(c, j, func(f *os.File, at int64, n int64) error {
		if _, err := f.ReadAt(b[:n], at); err != nil {
			return err
		}
		_, err := c.Write(b[:n])
		return err
	})
}

// sent sends a file, chunk by chunk.
func sent(_ *net.TCPConn, j Job, send func(f *os.File, at, n int64) error) (Outcome, error) {
	f, err := filledFile(j.Dir, j.Size)
	if err != nil {
		return Outcome{}, err
	}
	defer discard(f)
	if j.Cold {
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			return Outcome{}, err
		}
	}
	var o Outcome
	s := start()
	for {
		for at := int64(0); at < j.Size; at += chunk {
			n := min(chunk, j.Size-at)
			if err := send(f, at, n); err != nil {
				return o, err
			}
			o.Bytes, o.Ops = o.Bytes+n, o.Ops+1
		}
		if j.Cold || time.Since(s.began) >= j.For {
			s.stop(&o)
			return o, nil
		}
	}
}
