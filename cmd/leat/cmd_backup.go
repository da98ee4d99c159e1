package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/gateway"
	"github.com/leatdev/leat/internal/vfs"
)

func (a *app) backupCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "backup DATA-DIR TO | --server HOST:PORT NAME",
		Short: "Make a consistent backup of a data directory, or of a running server",
		Long: `Make a consistent backup: all partitions, groups and configs as they are at one moment.

With --server the server that runs makes it, while clients produce and consume: in the
directory NAME below the one that it was started with (leat serve --http ADDR
--backup-dir DIR). HOST:PORT is its HTTP address. Every record that was acknowledged
before the call is in it; what was written to several partitions at once is in it
whole, or not at all.

Complete segments are hard links where the backup is on the same file system, so that
it takes little room and time. Keep another copy on another disk: a link does not
survive the disk. The backup is read back, byte by byte, before it gets its name.

Bring it back with leat restore.`,
		Example: "  leat backup ./leat-data /backups/monday\n  leat backup --server 127.0.0.1:9644 monday",
		GroupID: "disk",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case server != "" && len(args) == 1:
				return a.backupServer(cmd.Context(), server, args[0])
			case server == "" && len(args) == 2:
				return a.backupDir(cmd.Context(), path.Clean(args[0]), path.Clean(args[1]))
			}
			return cli.Usagef("it is `leat backup DATA-DIR TO` or `leat backup --server HOST:PORT NAME`")
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "HTTP address, host:port, of the server to back up")
	return cmd
}

// backupDir backs up a directory that no server runs on.
func (a *app) backupDir(ctx context.Context, dir, to string) error {
	d, err := broker.LookAt(vfs.OS{}, dir)
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%w; or have the server make the backup: leat backup --server HOST:PORT NAME", err)
	}
	if err != nil {
		return err
	}
	m, err := d.Backup(ctx, to, time.Now())
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	return a.tellBackup(gateway.NewBackup(to, m))
}

// backupServer has a server back itself up.
func (a *app) backupServer(ctx context.Context, server, name string) error {
	body, err := json.Marshal(gateway.BackupRequest{To: name})
	if err != nil {
		return err
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/v1/backups", bytes.NewReader(body))
	if err != nil {
		return cli.Usagef("--server %s: want HOST:PORT", server)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is it the address after --http of the server?", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		var p gateway.Problem
		if json.Unmarshal(answer, &p) != nil || p.Error == "" {
			p.Error = fmt.Sprintf("%s answers %s: is it a Leat server's HTTP address?", server, resp.Status)
		}
		return errors.New(p.Error)
	}
	var b gateway.Backup
	if err := json.Unmarshal(answer, &b); err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	return a.tellBackup(b)
}

// tellBackup says what a backup holds. Damage that it holds is an error: the backup
// is as good as the data was.
func (a *app) tellBackup(b gateway.Backup) error {
	err := a.out.Write(b, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s in %s, %d bytes, %s of them linked\n", b.Dir, cli.Count(b.Records, "record"), cli.Count(int64(b.Partitions), "partition"), b.Bytes, cli.Count(b.Linked, "byte"))
		return err
	})
	if len(b.Damaged) > 0 {
		err = errors.Join(err, fmt.Errorf("the backup is complete, but %s of the data were damaged before: %s", cli.Count(int64(len(b.Damaged)), "partition"), strings.Join(b.Damaged, "; ")))
	}
	return err
}
