package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/kafka"
)

func (a *app) quotaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quota",
		Short: "List, set and delete the quotas of clients",
		Long: `List, set and delete the quotas of clients: how much of the broker they may use.

Whom a quota is for (ENTITY):
  client-id=NAME          all connections with this client id
  client-id               each client id that has no quota by name
  user=NAME, user         a user; without authentication everybody is user=ANONYMOUS
  client-id=NAME,user     both together
  ip=ADDRESS, ip          an address; each address

What there are quotas of:
  producer_byte_rate        bytes per second that are produced
  consumer_byte_rate        bytes per second that are fetched
  request_percentage        time that the broker spends on requests, in % of one processor
  controller_mutation_rate  partitions per second that are created or deleted
  connection_creation_rate  connections per second (ip only)

The most specific entity counts. A client above its quota is answered and told how long
it has to wait, and is not heard for that time; others do not notice.`,
		GroupID: "data",
		Example: "  leat quota set client-id=trainer consumer_byte_rate=10485760\n  leat quota list",
	}
	a.addBrokers(cmd.PersistentFlags())
	cmd.AddCommand(a.quotaListCommand(), a.quotaSetCommand(), a.quotaDeleteCommand())
	return cmd
}

// quotaEntity reads an entity as people write it. What follows a comma belongs to the
// name before it, unless it begins with a type.
func quotaEntity(text string) (kadm.ClientQuotaEntity, error) {
	var e kadm.ClientQuotaEntity
	for part := range strings.SplitSeq(text, ",") {
		kind, name, named := strings.Cut(part, "=")
		switch kind {
		case kafka.QuotaUser, kafka.QuotaClientID, kafka.QuotaIP:
			c := kadm.ClientQuotaEntityComponent{Type: kind}
			if named {
				c.Name = &name
			}
			e = append(e, c)
		default:
			if len(e) == 0 || e[len(e)-1].Name == nil {
				return nil, cli.Usagef("%q: want client-id=NAME, user=NAME, client-id=NAME,user=NAME or ip=ADDRESS, or one of the types alone for its default", text)
			}
			*e[len(e)-1].Name += "," + part
		}
	}
	return e, nil
}

// quotaText writes an entity as quotaEntity reads it.
func quotaText(e kadm.ClientQuotaEntity) string {
	var parts []string
	for _, c := range e {
		if c.Name != nil {
			c.Type += "=" + *c.Name
		}
		parts = append(parts, c.Type)
	}
	return strings.Join(parts, ",")
}
