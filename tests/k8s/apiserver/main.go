// A Kubernetes API server with its storage, and nothing that would run a pod: what is applied is checked and kept.
//
//	apiserver DIRECTORY ETCD_PORT ETCD_PEER_PORT [flags of kube-apiserver]
package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	storage, err := startStorage(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
	command := app.NewAPIServerCommand()
	command.SetArgs(append(os.Args[4:], "--etcd-servers=http://127.0.0.1:"+os.Args[2]))
	code := cli.Run(command)
	storage.Close()
	os.Exit(code)
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
