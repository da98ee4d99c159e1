// Command kfake is franz-go's broker for tests as a process: a peer that does
// the least a broker can do. It keeps everything in memory, or with -dir in files,
// or with -dir and -sync in files with an fsync for each batch.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	port := flag.Int("port", 9092, "port to listen on, on loopback")
	dir := flag.String("dir", "", "data directory; default: memory only")
	sync := flag.Bool("sync", false, "fsync each batch; needs -dir")
	flag.Parse()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(*port), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "33554432"})}
	if *dir != "" {
		opts = append(opts, kfake.DataDir(*dir))
	}
	if *sync {
		opts = append(opts, kfake.SyncWrites())
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	c.Close()
}
