package quota

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// What Kafka's own classes said to the same uses at the same times: testdata has the
// answers of a Rate and a TokenBucket in a Sensor, by QuotaUtils and
// ControllerMutationQuotaManager.
func TestAsKafka(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/kafka-4.3.1-rates.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var say func(ms int64, amount float64) time.Duration
	lines, waits := 0, 0
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		var kind string
		var samples, seconds int
		var limit float64
		if n, _ := fmt.Sscanf(line, "%s %d %d %g", &kind, &samples, &seconds, &limit); n == 4 {
			w := Window{samples, time.Duration(seconds) * time.Second}
			say = sayRate(w, limit)
			if kind == "bucket" {
				say = sayBucket(w, limit)
			}
			continue
		}
		var ms, want int64
		var amount float64
		if _, err := fmt.Sscanf(line, "%d %g %d", &ms, &amount, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if got := say(ms, amount).Milliseconds(); got != want {
			t.Fatalf("line %q: waits %d ms", line, got)
		}
		lines++
		if want > 0 {
			waits++
		}
	}
	if lines != 960 || waits < 200 {
		t.Errorf("%d lines, %d of them with a wait", lines, waits)
	}
}

func sayRate(w Window, limit float64) func(int64, float64) time.Duration {
	r := &rate{}
	return func(ms int64, amount float64) time.Duration {
		r.add(w, amount, ms)
		return r.wait(w, limit, ms)
	}
}

func sayBucket(w Window, limit float64) func(int64, float64) time.Duration {
	b := &bucket{}
	return func(ms int64, amount float64) time.Duration {
		_, wait := b.take(w, limit, amount, false, ms)
		return wait
	}
}
