package gateway

import (
	"fmt"
	"net/http"
)

// route is one line of the table.
type route struct {
	pattern string
	about   string
	serve   http.HandlerFunc
}

// routes is every address of the door.
func (g *Gateway) routes() []route {
	return []route{
		{"GET /metrics", "metrics in Prometheus' text format", g.metrics()},
		{"GET /healthz", "200 while the process serves", g.healthz},
		{"GET /readyz", "200 when every check passes, else 503, with the checks as JSON", g.readyz},
		{"POST /v1/backups", "make a backup: {\"to\": \"NAME\"}", g.backups},
	}
}

// handler is the table as a handler. The root answers with the table itself, so
// that somebody who only knows the port finds the rest.
func (g *Gateway) handler() http.Handler {
	mux := http.NewServeMux()
	table := g.routes()
	for _, r := range table {
		mux.HandleFunc(r.pattern, r.serve)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, r := range table {
			fmt.Fprintf(w, "%-17s %s\n", r.pattern, r.about)
		}
	})
	return mux
}
