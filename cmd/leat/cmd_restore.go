package main

import (
	"fmt"
	"io"
	"path"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/vfs"
)

// restored is what leat restore brought back.
type restored struct {
	Dir         string `json:"dir"`
	ClusterID   string `json:"cluster_id"`
	LeaderEpoch int32  `json:"leader_epoch"`
	Partitions  int    `json:"partitions"`
	Records     int64  `json:"records"`
	Bytes       int64  `json:"bytes"`
}

func (a *app) restoreCommand() *cobra.Command {
	var newClusterID bool
	cmd := &cobra.Command{
		Use:   "restore FROM DATA-DIR",
		Short: "Make a data directory of a backup",
		Long: `Make a data directory of a backup: the same records at the same offsets, groups and
configs. Every byte is compared with the backup's manifest. DATA-DIR must be empty or
not there.

The leader epoch jumps beyond any that the original can have reached since, and with it
the producer ids, so that neither is ever given out twice. Consumers that had read
further than the backup goes are told that the log is shorter now, and go on where their
auto.offset.reset says. The cluster id stays, unless --new-cluster-id asks for another:
for a copy that runs beside the original.

A restore that is cut short leaves a directory that no server starts on; run it again.`,
		Example: "  leat restore /backups/monday ./leat-data\n  leat restore /backups/monday ./copy --new-cluster-id",
		GroupID: "disk",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := path.Clean(args[1])
			m, err := broker.Restore(cmd.Context(), vfs.OS{}, path.Clean(args[0]), to, newClusterID)
			if err != nil {
				return err
			}
			r := restored{Dir: to, ClusterID: m.ClusterID, LeaderEpoch: m.Boots, Partitions: len(m.Logs)}
			r.Bytes, r.Records = m.Totals()
			return a.out.Write(r, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %s in %s; the next start has leader epoch %d\n", r.Dir, cli.Count(r.Records, "record"), cli.Count(int64(r.Partitions), "partition"), r.LeaderEpoch+1)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&newClusterID, "new-cluster-id", false, "give the data directory a cluster id of its own")
	return cmd
}
