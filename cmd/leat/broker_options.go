package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	yaml "go.yaml.in/yaml/v3"

	"github.com/leatdev/leat/internal/cli"
)

const (
	defaultData   = "./leat-data"
	defaultListen = "127.0.0.1:9092"
)

// brokerOptions are what starts a broker: flags, and under them a file.
type brokerOptions struct {
	data, listen, advertise, http, durability string
	backupDir                                 string
	config                                    string
	set                                       []string
	// configs are the broker's, those of the file and over them those of -c.
	configs map[string]string
}

func (o *brokerOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.data, "data", defaultData, "data directory, of this process alone")
	f.StringVar(&o.listen, "listen", defaultListen, "host:port for Kafka clients; port 0 takes a free one")
	f.StringVar(&o.advertise, "advertise", "", "host:port that clients are told, if it is not where it listens")
	f.StringVar(&o.http, "http", "", "host:port for /metrics, /healthz and /readyz; default none")
	f.StringVar(&o.backupDir, "backup-dir", "", "directory below which POST /v1/backups (leat backup --server) may make backups; default nowhere")
	f.StringVar(&o.durability, "durability", "fsync", "fsync: an ack of acks=all is on disk; relaxed: never fsync (tests)")
	f.StringVar(&o.config, "config", "", "YAML file with the same settings")
	f.StringArrayVarP(&o.set, "set", "c", nil, "a broker config as NAME=VALUE, with Kafka's names; may be repeated")
	cli.FromEnv(f, "data", "LEAT_DATA_DIR")
	cli.FromEnv(f, "listen", "LEAT_LISTEN")
	cli.FromEnv(f, "advertise", "LEAT_ADVERTISE")
	cli.FromEnv(f, "http", "LEAT_HTTP")
	cli.FromEnv(f, "backup-dir", "LEAT_BACKUP_DIR")
	cli.FromEnv(f, "durability", "LEAT_DURABILITY")
	cli.FromEnv(f, "config", "LEAT_CONFIG")
}

// brokerFile is the YAML file. Pointers tell what it does not say.
type brokerFile struct {
	Data       *string           `yaml:"data"`
	Listen     *string           `yaml:"listen"`
	Advertise  *string           `yaml:"advertise"`
	HTTP       *string           `yaml:"http"`
	BackupDir  *string           `yaml:"backup_dir"`
	Durability *string           `yaml:"durability"`
	Configs    map[string]string `yaml:"configs"`
}

// complete reads the file and checks everything that can be checked without
// starting. What a flag or the environment set, the file does not change.
func (o *brokerOptions) complete(f *pflag.FlagSet) error {
	o.configs = map[string]string{}
	if o.config != "" {
		file, err := readBrokerFile(o.config)
		if err != nil {
			return cli.Usage(err)
		}
		for name, to := range map[string]struct{ from, to *string }{
			"data": {file.Data, &o.data}, "listen": {file.Listen, &o.listen}, "advertise": {file.Advertise, &o.advertise},
			"http": {file.HTTP, &o.http}, "backup-dir": {file.BackupDir, &o.backupDir}, "durability": {file.Durability, &o.durability},
		} {
			if to.from != nil && !f.Changed(name) {
				*to.to = *to.from
			}
		}
		o.configs = file.Configs
		if o.configs == nil {
			o.configs = map[string]string{}
		}
	}
	set, err := pairs("broker config", o.set)
	if err != nil {
		return err
	}
	for _, c := range set {
		o.configs[c[0]] = c[1]
	}
	// Kafka's own names for it stand in where nobody asked otherwise.
	if o.configs["listeners"] != "" && o.listen == defaultListen && !f.Changed("listen") {
		o.listen = ""
	}
	if o.durability != "fsync" && o.durability != "relaxed" {
		return cli.Usagef("durability %q: want fsync or relaxed", o.durability)
	}
	if o.data == "" {
		return cli.Usagef("no data directory: name one with --data")
	}
	return nil
}

func readBrokerFile(path string) (brokerFile, error) {
	var file brokerFile
	f, err := os.Open(path)
	if err != nil {
		return file, err
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		// yaml's words name Go's types; users do not know them.
		text := strings.ReplaceAll(err.Error(), " not found in type main.brokerFile", " is not a setting (data, listen, advertise, http, backup_dir, durability, configs)")
		return file, fmt.Errorf("%s: %s", path, strings.TrimPrefix(text, "yaml: "))
	}
	return file, nil
}
