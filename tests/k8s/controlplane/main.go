// Kubernetes without nodes: its own API server, controllers and scheduler in one program, and the storage.
//
//	controlplane apiserver DIRECTORY ETCD_PORT ETCD_PEER_PORT [flags of kube-apiserver]
//	controlplane controllers [flags of kube-controller-manager]
//	controlplane scheduler [flags of kube-scheduler]
package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	part, rest := os.Args[1], os.Args[2:]
	switch part {
	case "apiserver":
		os.Exit(serve(rest))
	case "controllers":
		os.Exit(run(controllers.NewControllerManagerCommand(), rest))
	case "scheduler":
		os.Exit(run(scheduler.NewSchedulerCommand(), rest))
	default:
		fmt.Fprintln(os.Stderr, "there is no", part)
		os.Exit(2)
	}
}

func run(command *cobra.Command, flags []string) int {
	command.SetArgs(flags)
	return cli.Run(command)
}

func serve(words []string) int {
	directory, port, peerPort, flags := words[0], words[1], words[2], words[3:]
	storage, err := startStorage(directory, port, peerPort)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	}
	defer storage.Close()
	return run(apiserver.NewAPIServerCommand(), append(flags, "--etcd-servers=http://127.0.0.1:"+port))
}

func startStorage(directory, port, peerPort string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(directory, "etcd")
	config.LogLevel = "error"
	clients, peers := local(port), local(peerPort)
	config.ListenClientUrls, config.AdvertiseClientUrls = clients, clients
	config.ListenPeerUrls, config.AdvertisePeerUrls = peers, peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	storage, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-storage.Server.ReadyNotify():
		return storage, nil
	case <-time.After(30 * time.Second):
		storage.Close()
		return nil, fmt.Errorf("not ready within 30 s")
	}
}

func local(port string) []url.URL {
	return []url.URL{{Scheme: "http", Host: "127.0.0.1:" + port}}
}
