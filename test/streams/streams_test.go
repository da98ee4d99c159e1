package streams

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/jvm"
	"github.com/leatdev/leat/test/leatproc"
)

func TestMain(m *testing.M) { leatproc.Main(m) }

// guarantee is the processing guarantee of the application.
const guarantee = "exactly_once_v2"

// Every payment makes one total, in order and once, as a read_committed consumer sees
// them: while the broker is killed, while the application is stopped and loses its
// disk, and while the application is killed.
func TestTotals(t *testing.T) {
	const cities, part = 20, 2000
	s := leatproc.Serve(t)
	broker := jvm.Look(t, s.Addr)
	broker.CreateTopic("payments", 4)
	broker.CreateTopic("totals", 4)

	sent := 0
	want := map[string]total{}
	send := func() {
		t.Helper()
		var records []*kgo.Record
		for range part {
			city := fmt.Sprint("city-", sent*7%cities)
			records = append(records, &kgo.Record{Topic: "payments", Key: fmt.Append(nil, "account-", sent%97), Value: fmt.Append(nil, city, " ", sent)})
			want[city] = total{want[city].count + 1, want[city].sum + sent}
			sent++
		}
		broker.Send(records...)
	}
	totals := func(n int) {
		t.Helper()
		leatproc.Until(t, 90*time.Second, "totals", func() error {
			if err := leatproc.Atleast(int(broker.Ends("totals")), n); err != nil { // with markers: surely not yet
				return err
			}
			return leatproc.Atleast(len(broker.Read("totals")), n)
		})
	}

	state := t.TempDir()
	app := start(t, s.Addr, state)
	send()
	totals(part / 4)
	s.Kill() // in the middle of it
	s.Start(t)
	send()
	totals(sent)

	app.stop(t)
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	app = start(t, s.Addr, state)
	send()
	totals(sent)
	if app.restored < cities {
		t.Errorf("%d totals were restored for %d cities, after the disk was lost", app.restored, cities)
	}

	send()
	totals(sent - part/2)
	app.Kill()
	app = start(t, s.Addr, state)
	send()
	totals(sent)
	app.stop(t)

	have := map[string]total{}
	for _, r := range broker.Read("totals") {
		city, now := string(r.Key), parse(t, string(r.Value))
		if next := have[city].count + 1; now.count != next {
			t.Errorf("%s: total number %d comes where %d is due", city, now.count, next)
		}
		have[city] = now
	}
	for city, w := range want {
		if have[city] != w {
			t.Errorf("%s: %+v, want %+v", city, have[city], w)
		}
	}
	// What has been read from the repartition topic is deleted.
	starts, err := broker.Adm.ListStartOffsets(t.Context(), "totals-by-city-repartition")
	if err != nil {
		t.Fatal(err)
	}
	purged := int64(0)
	starts.Each(func(o kadm.ListedOffset) { purged += o.Offset })
	if purged == 0 {
		t.Error("nothing of the repartition topic is deleted")
	}
}

type total struct{ count, sum int }

func parse(t *testing.T, value string) total {
	t.Helper()
	var n total
	if _, err := fmt.Sscanf(value, "%d %d", &n.count, &n.sum); err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return n
}

// app is the application's process, and how many records it has restored.
type app struct {
	*leatproc.Process
	restored int
}

// start starts the application and waits until it runs.
func start(t *testing.T, brokers, state string) *app {
	t.Helper()
	a := &app{Process: jvm.Run(t, "Totals", brokers, state, guarantee)}
	deadline := time.After(90 * time.Second)
	for {
		select {
		case line, ok := <-a.Stdout:
			if !ok {
				t.Fatalf("the application ended\n%s", a.Tail())
			}
			if n, ok := strings.CutPrefix(line, "restored "); ok {
				count, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				a.restored += count
			}
			if line == "state RUNNING" {
				return a
			}
		case <-deadline:
			t.Fatalf("the application does not run\n%s", a.Tail())
		}
	}
}

// stop ends the application with SIGTERM.
func (a *app) stop(t *testing.T) {
	t.Helper()
	a.Signal(t, syscall.SIGTERM)
	select {
	case <-a.Ended():
	case <-time.After(time.Minute):
		t.Fatalf("the application does not stop\n%s", a.Tail())
	}
}
