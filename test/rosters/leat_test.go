package rosters

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

// ours are the rosters that a running broker answers.
func ours(t *testing.T) rosters {
	t.Helper()
	srv, err := leat.Open(t.Context(), leat.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(srv.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	r := rosters{}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "t", NumPartitions: 1, ReplicationFactor: 1}}
	if resp, err := create.RequestWith(t.Context(), cl); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	r.configs(t, cl, "topic config", kmsg.ConfigResourceTypeTopic, "t")
	r.configs(t, cl, "broker config", kmsg.ConfigResourceTypeBroker, "1")
	r.configs(t, cl, "group config", kmsg.ConfigResourceTypeGroupConfig, "g")
	// The codes are those of the library that answers are written with.
	for code := int16(-1); code < 1000; code++ {
		if e := kerr.TypedErrorForCode(code); e != nil && e.Code == code {
			r.set("error", fmt.Sprint(code), "name", e.Message)
		}
	}
	ask := kmsg.NewPtrApiVersionsRequest()
	ask.ClientSoftwareName, ask.ClientSoftwareVersion = "leat-test", "1"
	resp, err := ask.RequestWith(t.Context(), cl)
	if err != nil || resp.ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	for _, k := range resp.ApiKeys {
		r.set("api", fmt.Sprint(k.ApiKey), "versions", fmt.Sprintf("%d to %d", k.MinVersion, k.MaxVersion))
	}
	for _, f := range resp.SupportedFeatures {
		r.set("feature", f.Name, "levels", fmt.Sprintf("%d to %d", f.MinVersion, f.MaxVersion))
	}
	return r
}

// configs adds what DescribeConfigs says.
func (r rosters) configs(t *testing.T, cl *kgo.Client, list string, kind kmsg.ConfigResourceType, name string) {
	t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name}}
	req.IncludeSynonyms = true
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatal(list, err, resp)
	}
	for _, c := range resp.Resources[0].Configs {
		r.set(list, c.Name, "type", c.ConfigType.String())
		if kind != kmsg.ConfigResourceTypeBroker {
			r.set(list, c.Name, "synonyms", "")
		}
		value := "null" // a config without a default has no synonym of that source
		for _, s := range c.ConfigSynonyms {
			if s.Source != kmsg.ConfigSourceDefaultConfig {
				continue
			}
			if s.Value != nil && value == "null" {
				value = `"` + *s.Value + `"`
			}
			if kind == kmsg.ConfigResourceTypeTopic || kind == kmsg.ConfigResourceTypeGroupConfig && s.Name != c.Name {
				r.add(list, c.Name, "synonyms", s.Name)
			}
		}
		// A topic's synonym may have another unit.
		if (len(c.ConfigSynonyms) == 0 || kind == kmsg.ConfigResourceTypeTopic && c.Source == kmsg.ConfigSourceDefaultConfig) && c.Value != nil {
			value = `"` + *c.Value + `"`
		}
		r.set(list, c.Name, "default", value)
		if kind == kmsg.ConfigResourceTypeBroker {
			r.set(list, c.Name, "dynamic", fmt.Sprint(!c.ReadOnly))
		}
	}
}
