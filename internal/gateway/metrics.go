package gateway

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves GET /metrics. One collector that fails does not hide the
// others: the page has the rest, and the log has the failure.
func (g *Gateway) metrics() http.HandlerFunc {
	return promhttp.HandlerFor(g.conf.Metrics, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      slog.NewLogLogger(g.conf.Log.Handler(), slog.LevelError),
	}).ServeHTTP
}
