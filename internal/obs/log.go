package obs

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// LogFormats are the values of --log-format.
var LogFormats = []string{"text", "json"}

// LogLevels are the values of --log-level.
var LogLevels = []string{"debug", "info", "warn", "error"}

// NewLogger returns a logger that writes to w. format is one of LogFormats,
// level one of LogLevels; anything else is an error that lists them.
//
// Text lines carry the time to the millisecond: they are read by people, beside
// other programs' lines. JSON lines carry it in full.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var min slog.Level
	if !oneOf(level, LogLevels) {
		return nil, fmt.Errorf("log level %q: want one of %s", level, strings.Join(LogLevels, ", "))
	}
	if err := min.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", level, err)
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: min})), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: min, ReplaceAttr: shortTime})), nil
	}
	return nil, fmt.Errorf("log format %q: want one of %s", format, strings.Join(LogFormats, ", "))
}

func oneOf(s string, set []string) bool {
	for _, x := range set {
		if s == x {
			return true
		}
	}
	return false
}

func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().Format("2006-01-02T15:04:05.000Z07:00"))
	}
	return a
}
