//go:build linux

// Command skelplugin is the least that a chained plugin on the CNI project's
// skel does. As it is, it passes the result on. With "batch" in its config it
// asks a socket about the pod, enters the pod's namespace and loads an encoded
// transaction, verified.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
	"golang.org/x/sys/unix"

	"github.com/sluicemesh/sluice/test/bench/rivals/internal/batch"
)

type config struct {
	types.PluginConf
	Batch   string `json:"batch"`
	Listing string `json:"listing"`
	Socket  string `json:"agent_socket"`
}

func main() {
	none := func(*skel.CmdArgs) error { return nil }
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Check: none, Del: none}, version.All, "skelplugin")
}

func add(args *skel.CmdArgs) error {
	var c config
	if err := json.Unmarshal(args.StdinData, &c); err != nil {
		return err
	}
	if err := version.ParsePrevResult(&c.PluginConf); err != nil {
		return err
	}
	if c.Batch != "" {
		if err := program(args, c); err != nil {
			return err
		}
	}
	if c.PrevResult == nil {
		c.PrevResult = &current.Result{CNIVersion: c.CNIVersion}
	}
	return types.PrintResult(c.PrevResult, c.CNIVersion)
}

func program(args *skel.CmdArgs, c config) error {
	if err := ask(args, c.Socket); err != nil {
		return err
	}
	runtime.LockOSThread() // and never unlocked: the process ends next
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	ns, err := os.Open(args.Netns)
	if err != nil {
		return err
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	batch.Apply(c.Batch, c.Listing)
	return unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) // skel looks afterwards
}

// ask puts the plugin's question to the agent, in the same words.
func ask(args *skel.CmdArgs, socket string) error {
	names := map[string]string{}
	for _, pair := range strings.Split(args.Args, ";") {
		name, value, _ := strings.Cut(pair, "=")
		names[name] = value
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, `{"pod":{"version":1,"namespace":%q,"name":%q,"uid":%q}}`+"\n", names["K8S_POD_NAMESPACE"], names["K8S_POD_NAME"], names["K8S_POD_UID"])
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return err
	}
	var answer struct{ Pod *struct{ Name string } }
	if err := json.Unmarshal(line, &answer); err != nil || answer.Pod == nil {
		return fmt.Errorf("no pod in %s: %w", line, err)
	}
	return nil
}
