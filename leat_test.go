package leat_test

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

func Example() {
	ctx := context.Background()
	srv, err := leat.Open(ctx, leat.Config{})
	if err != nil {
		panic(err)
	}
	defer srv.Close(ctx)
	client, err := srv.Client(kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("events"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "events", Value: []byte("hello")}).FirstErr(); err != nil {
		panic(err)
	}
	client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { fmt.Println(r.Offset, string(r.Value)) })
	// Output: 0 hello
}
