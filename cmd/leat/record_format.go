package main

import (
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

// recordWriter returns what writes one record to w, as -o and --format say.
func (a *app) recordWriter(w io.Writer, layout string) (func(*kgo.Record) error, error) {
	if a.out.Format == "json" {
		if layout != "" {
			return nil, cli.Usagef("-f and -o json: choose one")
		}
		lines := cli.Output{W: w}
		return func(r *kgo.Record) error { return lines.Line(toJSON(r)) }, nil
	}
	if layout == "" {
		layout = `%v`
		if a.out.Wide() {
			layout = `%t/%p/%o\t%d{go[2006-01-02T15:04:05.000Z07:00]}\t%k\t%v\t%h`
		}
	}
	format, err := recordFormat(layout)
	if err != nil {
		return nil, cli.Usagef("--format %q: %w", layout, err)
	}
	var buf []byte
	return func(r *kgo.Record) error {
		buf = format(buf[:0], r)
		_, err := w.Write(buf)
		return err
	}, nil
}

// recordFormat reads a layout of kgo.NewRecordFormatter in which a bare %h, too,
// is allowed: all headers as name=value, separated by commas. It ends each
// record with a newline unless the layout does.
func recordFormat(layout string) (func([]byte, *kgo.Record) []byte, error) {
	if !strings.HasSuffix(layout, `\n`) && !strings.HasSuffix(layout, "\n") {
		layout += `\n`
	}
	var parts []func([]byte, *kgo.Record) []byte
	for i, text := range splitHeaders(layout) {
		if i > 0 {
			parts = append(parts, appendHeaders)
		}
		f, err := kgo.NewRecordFormatter(text)
		if err != nil {
			return nil, err
		}
		parts = append(parts, f.AppendRecord)
	}
	return func(b []byte, r *kgo.Record) []byte {
		for _, p := range parts {
			b = p(b, r)
		}
		return b
	}, nil
}

// splitHeaders cuts a layout at each bare %h: one that no brace follows, and
// that is not part of another verb's braces.
func splitHeaders(layout string) []string {
	var parts []string
	from := 0
	for i := 0; i < len(layout); i++ {
		switch layout[i] {
		case '\\':
			i++
		case '%':
			i++ // past the verb, or the second character of %%, %{ and %}
			if i+1 < len(layout) && layout[i+1] == '{' && !strings.ContainsRune("%{}", rune(layout[i])) {
				i = closing(layout, i+1)
			} else if i < len(layout) && layout[i] == 'h' {
				parts = append(parts, layout[from:i-1])
				from = i + 1
			}
		}
	}
	return append(parts, layout[from:])
}

// closing returns where the brace that opens at i is closed; the end of the
// layout if it is not.
func closing(layout string, i int) int {
	depth := 0
	for ; i < len(layout); i++ {
		switch layout[i] {
		case '%':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

func appendHeaders(b []byte, r *kgo.Record) []byte {
	for i, h := range r.Headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, h.Key...), '='), h.Value...)
	}
	return b
}
