package protocol

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/test/clients"
	"github.com/leatdev/leat/test/kafkago"
	"github.com/leatdev/leat/test/kgo"
	"github.com/leatdev/leat/test/ported"
	"github.com/leatdev/leat/test/suite"
)

// keysTable is what a broker answered to ApiVersions. Versions that it says and
// does not carry out are told from the version table.
func keysTable(answer *kmsg.ApiVersionsResponse) (string, error) {
	var b strings.Builder
	b.WriteString("| key | API | advertised | carried out |\n|---|---|---|---|\n")
	for _, k := range answer.ApiKeys {
		row, ok := kafka.VersionsOf(k.ApiKey)
		if !ok {
			return "", fmt.Errorf("key %d is advertised and not in the version table", k.ApiKey)
		}
		if row.Min != k.MinVersion || row.Max != k.MaxVersion {
			return "", fmt.Errorf("key %d is advertised as %d to %d, the version table says %d to %d", k.ApiKey, k.MinVersion, k.MaxVersion, row.Min, row.Max)
		}
		served := "all"
		if row.Served != row.Min {
			served = span(row.Served, row.Max)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", row.Key, row.Name, span(row.Min, row.Max), served)
	}
	return b.String(), nil
}

func span(low, high int16) string {
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d–%d", low, high)
}

// clientsTable says what each client has been shown to do.
func clientsTable() (string, error) {
	total := 0
	for _, c := range clients.All {
		total += c.Sends()
	}
	var b strings.Builder
	b.WriteString("| client | version | codecs | records sent | records read | groups | transactions | idempotent producer | own timestamps |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range clients.All {
		version, err := c.Version()
		if err != nil {
			return "", err
		}
		transactions := cmp.Or(map[bool]string{true: "yes"}[c.Transactions], map[bool]string{true: "reads committed"}[c.ReadCommitted], "it has none")
		if c.Forgets != "" {
			transactions += ", not across kills: " + c.Forgets
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %s | %s | %s | %s |\n", c.Name, version, strings.Join(c.Codecs, ", "), c.Sends(), total,
			map[bool]string{false: "classic", true: "classic, KIP-848"}[c.Consumer]+map[bool]string{true: ", share"}[c.Share], transactions,
			yes(c.Idempotent, "it has none"), yes(c.Timestamps, "it cannot set them"))
	}
	return b.String(), nil
}

func yes(b bool, no string) string {
	return cmp.Or(map[bool]string{true: "yes"}[b], no)
}

// suites are the test suites that others wrote, by the name of their table.
var suites = []struct {
	table, name string
	expected    func() (suite.Suite, error)
}{
	{"franz-go", "franz-go", kgo.Expected},
	{"ported", "kfake", ported.Expected},
	{"kafka-go", "kafka-go", kafkago.Expected},
}
