package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/test/leatproc"
)

// TestRecommendations runs the example of most introductions as a user would
// type it: a loop over KafkaConsumer that computes and sends with KafkaProducer.
func TestRecommendations(t *testing.T) {
	t.Parallel()
	python := func(c Client) bool { return strings.HasPrefix(c.Name, "kafka-python") }
	each(t, python, func(t *testing.T, c Client) {
		s := leatproc.Serve(t)
		a := admin(t, s)
		createTopic(t, a, 1, "user-interactions")
		interpreter := c.command(t)[0]
		put := func(users, products string) {
			t.Helper()
			client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.DefaultProduceTopic("user-interactions"))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for i, user := range strings.Fields(users) {
				value := fmt.Sprintf(`{"user":%q,"product":%q}`, user, strings.Fields(products)[i])
				if err := client.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		put("early", "ignored") // a new group starts with what comes from now on
		committed := func(want int64) func() error {
			return func() error {
				o, err := a.FetchOffsets(t.Context(), "recommendation-engine")
				if err != nil {
					return err
				}
				at, ok := o.Lookup("user-interactions", 0)
				if !ok || at.At != want {
					return fmt.Errorf("committed at %d, want %d", at.At, want)
				}
				return nil
			}
		}
		recommended := func(n int) func() error {
			return func() error {
				ends, err := a.ListEndOffsets(t.Context(), "updated-recommendations")
				if err != nil {
					return err
				}
				o, ok := ends.Lookup("updated-recommendations", 0)
				if !ok || o.Err != nil {
					return errors.Join(errors.New("no topic"), o.Err)
				}
				return leatproc.Atleast(int(o.Offset), n)
			}
		}
		engine := leatproc.Run(t, "", interpreter, "python/recommend.py", s.Addr)
		leatproc.Until(t, wait, "the engine knows where it begins", committed(1))
		put("ann ann bob ann ann ann", "tea cup pot cup jam bun")
		leatproc.Until(t, wait, "the engine has read all", committed(7))
		leatproc.Until(t, wait, "six recommendations", recommended(6))
		engine.Kill()

		// It goes on where it was, with what came in the meantime. What it knew of
		// the users was in its memory.
		put("bob bob", "cup cup")
		second := leatproc.Run(t, "", interpreter, "python/recommend.py", s.Addr)
		leatproc.Until(t, wait, "the second engine has read the rest", committed(9))

		type recommendation struct {
			User     string   `json:"user"`
			Because  int      `json:"because_of"`
			Products []string `json:"products"`
		}
		want := []recommendation{
			{"ann", 1, []string{"tea"}}, {"ann", 2, []string{"cup", "tea"}}, {"bob", 3, []string{"pot"}},
			{"ann", 4, []string{"cup", "tea"}}, {"ann", 5, []string{"cup", "jam", "tea"}}, {"ann", 6, []string{"cup", "bun", "jam"}},
			{"bob", 7, []string{"cup"}}, {"bob", 8, []string{"cup"}},
		}
		leatproc.Until(t, wait, "all recommendations", recommended(len(want)))
		var got []recommendation
		for _, r := range stored(t, s, a, "updated-recommendations") {
			var one recommendation
			if err := json.Unmarshal(r.Value, &one); err != nil {
				t.Fatal(err)
			}
			if string(r.Key) != one.User {
				t.Errorf("key %q of %+v", r.Key, one)
			}
			got = append(got, one)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("recommended\n%+v\nwant\n%+v", got, want)
		}
		select {
		case <-second.Ended():
			t.Errorf("the engine has ended: %s", second.Tail())
		default:
		}
	})
}
