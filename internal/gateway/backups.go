package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/leatdev/leat/internal/broker"
)

// BackupRequest is the body of POST /v1/backups.
type BackupRequest struct {
	// To is the name of the new directory, below the server's backup directory.
	To string `json:"to"`
}

// Backup is what became of it.
type Backup struct {
	Dir        string `json:"dir"`
	Partitions int    `json:"partitions"`
	Records    int64  `json:"records"`
	Bytes      int64  `json:"bytes"`
	// Linked bytes are shared with the data directory.
	Linked int64 `json:"linked_bytes"`
	// Damaged partitions were so in the data directory; each with what is wrong.
	Damaged []string `json:"damaged,omitempty"`
}

// Problem is the body of an answer that is no success.
type Problem struct {
	Error string `json:"error"`
}

// NewBackup describes a backup by its manifest.
func NewBackup(dir string, m *broker.Manifest) Backup {
	b := Backup{Dir: dir, Partitions: len(m.Logs)}
	b.Bytes, b.Records = m.Totals()
	for _, f := range m.Files {
		if f.Linked {
			b.Linked += f.Bytes
		}
	}
	for _, l := range m.Damaged() {
		b.Damaged = append(b.Damaged, fmt.Sprintf("%s partition %d: %s", l.Topic, l.Partition, l.Damage[0]))
	}
	return b
}

// backups serves POST /v1/backups: it makes a backup of the log in a new directory
// below the one that the server was started with, and answers when it is done and
// was read back. 201 with what it holds; 400 for a name that is none, 403 when the
// server has no backup directory, 409 when the name is taken, 415 for a body that
// does not say that it is JSON (a page of another site cannot send one).
func (g *Gateway) backups(w http.ResponseWriter, r *http.Request) {
	var req BackupRequest
	switch err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&req); {
	case g.conf.Backup == nil:
		problem(w, http.StatusForbidden, "this server makes no backups: start it with --backup-dir DIR")
		return
	case r.Header.Get("Content-Type") != "application/json":
		problem(w, http.StatusUnsupportedMediaType, "want Content-Type: application/json")
		return
	case err != nil:
		problem(w, http.StatusBadRequest, `want a body like {"to": "monday"}: `+err.Error())
		return
	case req.To == "" || path.Base(req.To) != req.To || req.To == "." || req.To == "..":
		problem(w, http.StatusBadRequest, fmt.Sprintf("%q: want the name of a new directory, without a path; it is made below the server's backup directory", req.To))
		return
	}
	b, err := g.conf.Backup(r.Context(), req.To)
	switch {
	case errors.Is(err, fs.ErrExist):
		problem(w, http.StatusConflict, err.Error())
	case err != nil:
		g.conf.Log.Error("backup failed", "to", req.To, "err", err)
		problem(w, http.StatusInternalServerError, err.Error())
	default:
		g.conf.Log.Info("backup made", "dir", b.Dir, "records", b.Records, "bytes", b.Bytes, "damaged", len(b.Damaged))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(b)
	}
}

func problem(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(Problem{text})
}

// BackupFunc makes a backup under a name; fs.ErrExist when the name is taken. It
// must end when ctx does.
type BackupFunc func(ctx context.Context, name string) (Backup, error)
