package support

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/leatdev/leat/pipeline"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 16 << 20

// Serve answers with handler on ln until ctx ends; then it finishes the running
// requests and returns nil. It closes ln.
func Serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// HTTPHandler serves a model as JSON: POST path takes one value, or a JSON list
// of them, and returns one result, or as many. 400 is no JSON, 422 a value that
// the model refuses, 413 a body of more than 16 MiB; errors are {"error":
// "..."}. GET /healthz answers 200.
func HTTPHandler(path string, f Func) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var value any
		if !decode(w, r, &value) {
			return
		}
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		results := make([]any, len(list))
		for i, v := range list {
			result, err := f(r.Context(), pipeline.Input{ID: r.Header.Get("X-Request-Id"), Value: v})
			if err != nil {
				fail(w, http.StatusUnprocessableEntity, err)
				return
			}
			results[i] = result
		}
		if isList {
			reply(w, http.StatusOK, results)
			return
		}
		reply(w, http.StatusOK, results[0])
	})
	return mux
}

// decode reads a JSON body; when it cannot, it has answered already.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes", tooLarge.Limit))
		return false
	case err != nil:
		fail(w, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
		return false
	}
	if err := json.Unmarshal(body, into); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("the body is not the JSON that this path takes: %w", err))
		return false
	}
	return true
}

func fail(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": reason(err)})
}

func reply(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the result cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // the client may be gone; there is nobody to tell
}
