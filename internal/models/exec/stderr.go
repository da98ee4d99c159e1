package exec

import (
	"bufio"
	"errors"
	"os"
	"strings"
)

// copyErrors logs a child's standard error line by line and remembers the
// last one. Lines of more than 8 KiB are logged in parts.
func (m *model) copyErrors(c *child, r *os.File) {
	br := bufio.NewReaderSize(r, 8<<10)
	for {
		part, err := br.ReadSlice('\n')
		if line := strings.TrimRight(m.redact.Text(string(part)), "\r\n"); line != "" {
			m.log.Info("model process says", "pid", c.pid, "stderr", line)
			c.mu.Lock()
			c.lastError = m.redact.Quote(part)
			c.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
