package history

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// recorder gathers the operations of all clients.
type recorder struct {
	began time.Time
	mu    sync.Mutex
	ops   []Op
	value int64
	txn   int64
	torn  bool // transactions end in one partition after the other
}

func newRecorder() *recorder { return &recorder{began: time.Now()} }

func (r *recorder) now() time.Duration { return time.Since(r.began) }

// add notes an operation that has just ended.
func (r *recorder) add(op Op) {
	op.End = r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
}

// next is a value that nobody has sent.
func (r *recorder) next() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value++
	return r.value
}

// nextTxn is a transaction that nobody has had.
func (r *recorder) nextTxn() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txn++
	return r.txn
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ops)
}

// judge analyses the history; one with findings is kept for a second look.
func (r *recorder) judge(t *testing.T) Report {
	t.Helper()
	report := Analyse(r.ops, true, r.torn)
	t.Log(report)
	if len(report.Findings) == 0 {
		return report
	}
	file := filepath.Join(os.TempDir(), "leat-history-"+filepath.Base(t.TempDir())+"-"+time.Now().Format("150405.000")+".jsonl")
	f, err := os.Create(file)
	if err == nil {
		err = Write(f, r.ops)
	}
	if err == nil {
		err = f.Close()
	}
	t.Errorf("%d findings; look again with: go test ./history -history.file %s (%v)", len(report.Findings), file, err)
	return report
}
