package libcni

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni"
	"github.com/sluicemesh/sluice/test/rig"
)

// static is our entry with settings of its own.
func (n *node) static(backend, inboundPorts string) string {
	return n.sluice(fmt.Sprintf(`"backend":%q`, backend), fmt.Sprintf(`"interception":{"istio-inbound-ports":%q,"istio-service-cidr":"*"}`, inboundPorts))
}

func TestAnotherNetworksSettingsLeaveAStaticContainerAsItIs(t *testing.T) {
	for _, backend := range backends() {
		t.Run(backend, func(t *testing.T) {
			n := newNode(t)
			first, second := n.list("1.0.0", n.static(backend, "80")), n.list("1.0.0", n.static(backend, "81,82"))
			p := n.plainPod()
			on := func(ifname string) *pod { p.rt.IfName = ifname; return p }
			on("eth0").mustAdd(first)
			before := p.State()
			on("eth1").mustAdd(second)
			if err := on("eth0").check(first); err != nil {
				t.Errorf("CHECK of the first interface: %v", err)
			}
			if err := on("eth1").check(second); err != nil {
				t.Errorf("CHECK of the second interface: %v", err)
			}
			if err := on("eth1").del(second); err != nil {
				t.Error(err)
			}
			if diff := before.Diff(p.State()); diff != "" {
				t.Errorf("the second interface changed the namespace:\n%s", diff)
			}
			if err := on("eth0").del(first); err != nil {
				t.Error(err)
			}
			if rules := p.Save(rig.NFT, rig.IPv4) + p.MustRun("nft", "list", "ruleset"); strings.Contains(rules, "ISTIO") {
				t.Errorf("DEL of the first interface left\n%s", rules)
			}
		})
	}
}

func TestAStaticContainerThatCannotBeNotedIsNotProgrammed(t *testing.T) {
	n := newNode(t)
	p := n.plainPod()
	before := p.State()
	r := n.RunCmd(rig.Cmd{
		Args: []string{"unshare", "--mount", "sh", "-c",
			"mkdir -p /run/sluice-cni && mount -t tmpfs -o ro none /run/sluice-cni && exec " + n.bin + "/sluice-cni"},
		Stdin: strings.Replace(n.static("iptables-nft", "80"), "{", `{"cniVersion":"1.0.0","name":"pods",`, 1),
		Env: []string{
			"CNI_COMMAND=ADD", "CNI_CONTAINERID=" + p.rt.ContainerID, "CNI_NETNS=" + p.rt.NetNS, "CNI_IFNAME=eth0", "PATH=" + os.Getenv("PATH"),
		},
	})
	if want := fmt.Sprintf(`"code":%d,`, cni.CodeApply); r.Err == nil || !strings.Contains(r.Stdout, want) || !strings.Contains(r.Stdout, "nothing was programmed") {
		t.Errorf("got %v %s%s\nwant %s and that nothing was programmed", r.Err, r.Stdout, r.Stderr, want)
	}
	if diff := before.Diff(p.State()); diff != "" {
		t.Errorf("ADD failed and changed the namespace:\n%s", diff)
	}
}

// What an ADD was refused for must not keep the runtime from taking the
// container down.
func TestDelAfterARefusedStaticAddSucceeds(t *testing.T) {
	n := newNode(t)
	list := n.list("1.0.0", n.static("iptables-nft", "80"))
	for name, netns := range map[string]string{
		"the plugin's own": n.Path(), "the machine's": fmt.Sprintf("/proc/%d/ns/net", os.Getpid()), "nowhere": "/run/netns/" + n.Name + "-gone",
	} {
		p := n.plainPod()
		p.rt.NetNS = netns
		before := n.State()
		if _, err := p.add(list); code(err) == 0 {
			t.Errorf("%s: ADD succeeded", name)
		}
		for range 2 {
			if err := p.del(list); err != nil {
				t.Errorf("%s: DEL: %v", name, err)
			}
		}
		if _, err := os.Lstat(string(cni.DefaultMemory) + "/" + p.rt.ContainerID); !os.IsNotExist(err) {
			t.Errorf("%s: the container is remembered after DEL: %v", name, err)
		}
		if diff := before.Diff(n.State()); diff != "" {
			t.Errorf("%s: the node was changed:\n%s", name, diff)
		}
	}
}
