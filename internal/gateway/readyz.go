package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// readyWithin is how long a check may take; one that takes longer has failed.
const readyWithin = 2 * time.Second

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool `json:"ready"`
	// Checks holds "ok" or what is missing, by the check's name.
	Checks map[string]string `json:"checks"`
}

// readyz serves GET /readyz: all checks at once, 200 if each passes, else 503.
func (g *Gateway) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	answer := readiness{Ready: true, Checks: make(map[string]string, len(g.conf.Checks))}
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for _, c := range g.conf.Checks {
		wg.Go(func() {
			err := c.Ready(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				answer.Ready = false
				answer.Checks[c.Name] = err.Error()
				return
			}
			answer.Checks[c.Name] = "ok"
		})
	}
	wg.Wait()
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}
