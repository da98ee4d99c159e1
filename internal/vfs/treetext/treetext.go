// Package treetext writes the files of a directory as text that people can read and
// compare, and back: for golden data directories in tests.
//
// A file is a line "NAME SIZE", then its bytes in hexadecimal, 32 a line behind their
// offset, indented; lines of zeros are left out.
package treetext

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/leatdev/leat/internal/vfs"
)

const width = 32

// Dump returns the text of all files below dir, by name.
func Dump(fsys vfs.FS, dir string) (string, error) {
	var b strings.Builder
	var walk func(string) error
	walk = func(at string) error {
		names, err := fsys.List(at)
		if err != nil {
			return err
		}
		for _, n := range names {
			name := path.Join(at, n)
			info, err := fsys.Stat(name)
			if err != nil {
				return err
			}
			if info.IsDir() {
				if err := walk(name); err != nil {
					return err
				}
				continue
			}
			data, err := vfs.ReadFile(fsys, name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s %d\n", strings.TrimPrefix(name, dir+"/"), len(data))
			for off := 0; off < len(data); off += width {
				if line := data[off:min(off+width, len(data))]; len(bytes.Trim(line, "\x00")) > 0 {
					fmt.Fprintf(&b, "  %06x %x\n", off, line)
				}
			}
		}
		return nil
	}
	err := walk(dir)
	return b.String(), err
}

// Plant makes the files of a text below dir, durably where fsys can tell.
func Plant(fsys vfs.FS, dir, text string) (err error) {
	var f vfs.File
	finish := func() error {
		if f == nil {
			return nil
		}
		return errors.Join(f.Sync(), f.Close())
	}
	defer func() { err = errors.Join(err, finish()) }()
	for line := range strings.Lines(text) {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, " ") {
			if err := finish(); err != nil {
				return err
			}
			name := path.Join(dir, at)
			size, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			if err := fsys.MkdirAll(path.Dir(name)); err != nil {
				return err
			}
			if f, err = fsys.Create(name); err != nil {
				return err
			}
			if err := f.Truncate(size); err != nil {
				return err
			}
			continue
		}
		off, err := strconv.ParseInt(at, 16, 64)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		p, err := hex.DecodeString(rest)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
	}
	return nil
}
