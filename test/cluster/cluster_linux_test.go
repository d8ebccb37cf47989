//go:build cluster

package cluster

import (
	"fmt"
	"testing"

	"github.com/sluicemesh/sluice/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// primary is the node's own network plugin.
func (c *Cluster) primary() string {
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"pods","plugins":[
	{"type":"ptp","ipMasq":false,"ipam":{"type":"host-local","dataDir":%q,
	 "ranges":[[{"subnet":"198.18.7.0/24"}],[{"subnet":"2001:db8:7::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}
]}
`, c.Dir+"/ipam")
}

func TestTheClusterStarts(t *testing.T) {
	c := Start(t)
	c.Conflist("10-pods.conflist", c.primary())
	c.AwaitNodeReady()
}
