package podsettings

import (
	"math"
	"strconv"

	"github.com/sluicemesh/sluice/builder"
	"github.com/sluicemesh/sluice/cni/podapi"
)

// DefaultProxyID is the uid and gid of a proxy that states none, or root.
const DefaultProxyID = 1337

// identity is one of the two ids of a container.
type identity struct {
	flag, field string
	ofContainer func(podapi.Container) *int64
	ofPod       func(podapi.Pod) *int64
}

func identities() [2]identity {
	return [2]identity{
		{
			flag: "proxy-uid", field: "runAsUser",
			ofContainer: func(c podapi.Container) *int64 { return c.RunAsUser },
			ofPod:       func(p podapi.Pod) *int64 { return p.RunAsUser },
		},
		{
			flag: "proxy-gid", field: "runAsGroup",
			ofContainer: func(c podapi.Container) *int64 { return c.RunAsGroup },
			ofPod:       func(p podapi.Pod) *int64 { return p.RunAsGroup },
		},
	}
}

// effective is the container's id, else the pod's, and whose it was.
func (i identity) effective(p podapi.Pod, c podapi.Container) (*int64, string) {
	if id := i.ofContainer(c); id != nil {
		return id, "container " + c.Name
	}
	return i.ofPod(p), "pod"
}

// proxy is the setting for the proxy's id. Root counts as the default: a proxy
// that runs as root (TPROXY mode) must not exempt every root process.
func (i identity) proxy(p podapi.Pod) (builder.Input, error) {
	proxy, _ := Container(p, podapi.ProxyName)
	id, whose := i.effective(p, proxy)
	if id == nil || *id == 0 {
		return builder.Input{Flag: i.flag, Value: strconv.Itoa(DefaultProxyID), Origin: "default for pods"}, nil
	}
	origin := "securityContext." + i.field + " of " + whose
	if uint64(*id) > math.MaxUint32 { // a negative one becomes huge
		return builder.Input{}, &builder.Problem{Flag: i.flag, Origin: origin, Value: strconv.FormatInt(*id, 10), Reason: "out of range", Accepted: "0 to 4294967295"}
	}
	return builder.Input{Flag: i.flag, Value: strconv.FormatInt(*id, 10), Origin: origin}, nil
}
