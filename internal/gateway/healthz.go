package gateway

import (
	"io"
	"net/http"
)

// healthz serves GET /healthz: the process runs and answers. It asks nothing
// else, since whoever restarts a process on a bad answer must not restart it
// because something behind it is away; that is /readyz.
func (g *Gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}
