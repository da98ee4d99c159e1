package wire

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestListConfigResources(t *testing.T) {
	t.Parallel()
	b := newAdminBench(t, nil)
	c := b.dial()
	b.makeTopics(c, "a", "b")
	set := kmsg.NewPtrIncrementalAlterConfigsRequest()
	set.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: "g",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "consumer.session.timeout.ms", Value: kmsg.StringPtr("50000")}},
	}}
	if r := ask[*kmsg.IncrementalAlterConfigsResponse](c, set, 1).Resources[0]; r.ErrorCode != 0 {
		t.Fatal(says(r.ErrorCode, r.ErrorMessage))
	}
	versions(t, 74, func(t *testing.T, version int16) {
		for _, x := range []struct {
			kinds []int8
			want  string
		}{
			{nil, "ok 2:a 2:b 4:1 32:g"},
			{[]int8{2}, "ok 2:a 2:b"},
			{[]int8{4, 2}, "ok 2:a 2:b 4:1"},
			{[]int8{4}, "ok 4:1"},
			{[]int8{8, 16}, "ok"},
			{[]int8{16, 32}, "ok 32:g"},
			{[]int8{2, 3}, "UNSUPPORTED_VERSION"},
		} {
			req := kmsg.NewPtrListConfigResourcesRequest()
			req.ResourceTypes = x.kinds
			resp := ask[*kmsg.ListConfigResourcesResponse](c, req, version)
			got := says(resp.ErrorCode, nil)
			for _, r := range resp.ConfigResources {
				got += fmt.Sprintf(" %d:%s", r.Type, r.Name)
			}
			want := x.want
			if version == 0 { // client metrics only, and there are none
				want = "ok"
			}
			expect(t, fmt.Sprint("resources of ", x.kinds), got, want)
		}
	})
}
