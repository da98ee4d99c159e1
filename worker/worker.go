package worker

import "context"

// Worker runs a Handler over topics. Make it with New, run it once with Run.
type Worker struct{ cfg Config }

// New checks cfg and fills in its defaults. It opens no connection.
func New(cfg Config) (*Worker, error) { return &Worker{cfg: cfg}, nil }

// Run joins the group and works until ctx ends or Stop is called (it then drains:
// no new calls, those in flight finish within Config.DrainTimeout, results are
// flushed, offsets committed, the group left; the error is nil), or until
// something makes going on wrong: a failure of class Fatal, a *RetentionError, a
// dead letter that cannot be written.
func (w *Worker) Run(ctx context.Context) error { return nil }

// Stop asks Run to drain and waits until it has returned or ctx ends. It may be
// called from anywhere but the worker's own callbacks, more than once.
func (w *Worker) Stop(ctx context.Context) error { return nil }
