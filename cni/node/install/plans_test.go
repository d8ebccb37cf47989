package install

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/conflist"
)

func TestPlansOfFoldersWithLists(t *testing.T) {
	for name, c := range map[string]struct {
		Want
		files map[string]string
		want  string
	}{
		"nothing there": {Want{}, map[string]string{}, `
waiting
error: no network configuration that a runtime could load yet`},
		"in order": {Want{}, map[string]string{"10-a.conflist": chain("x", ours)}, `
installed 10-a.conflist x`},
		"without our entry": {Want{}, map[string]string{"10-a.conflist": chain("x", "y")}, `
pending 10-a.conflist x y
write 10-a.conflist 0640 [x y sluice-cni]: our entry is absent`},
		"our entry first": {Want{}, map[string]string{"10-a.conflist": chain(ours, "x")}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: our entry is misplaced`},
		"a broken file in front": {Want{}, map[string]string{"00-b.conflist": "{", "05-b.conf": "{}", "10-a.conflist": chain("x", stale)}, `
pending 10-a.conflist x
skipped 00-b.conflist: not valid JSON, or cut short
skipped 05-b.conf: no plugin type
write 10-a.conflist 0640 [x sluice-cni]: our entry is stale`},
		"only broken files": {Want{}, map[string]string{"00-b.conflist": "{"}, `
waiting
skipped 00-b.conflist: not valid JSON, or cut short
error: no network configuration that a runtime could load yet`},
		"a file that cannot be read in front": {Want{}, map[string]string{"00-b.conflist": "{", "05-u.conflist": unreadable, "10-a.conflist": chain("x")}, `
refused 05-u.conflist
skipped 00-b.conflist: not valid JSON, or cut short
error: permission denied`},
		"a file that cannot be read behind": {Want{}, map[string]string{"00-b.conflist": "{", "10-a.conflist": chain("x"), "15-u.conflist": unreadable}, `
pending 10-a.conflist x
skipped 00-b.conflist: not valid JSON, or cut short
write 10-a.conflist 0640 [x sluice-cni]: our entry is absent`},
		"a file that cannot be read and is none of the runtime's": {Want{}, map[string]string{"00-u.conf.sluice-orig": unreadable, "10-a.conflist": chain("x")}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: our entry is absent`},
		"too old": {Want{}, map[string]string{"00-b.conflist": "{", "10-a.conflist": strings.Replace(chain("x"), "1.0.0", "0.2.0", 1)}, `
refused 10-a.conflist
skipped 00-b.conflist: not valid JSON, or cut short
error: 10-a.conflist has cniVersion "0.2.0"; plugins are chained from 0.3.0 on`},
		"nothing but ours": {Want{}, map[string]string{"10-a.conflist": chain(ours)}, `
refused 10-a.conflist
error: no plugins`},
		"lists that may be loaded later": {Want{}, map[string]string{
			"10-a.conflist": chain("x", ours), "20-absent.conflist": chain("y"), "21-stale.conflist": chain("y", stale), "22-misplaced.conflist": chain(ours, "y"),
			"23-installed.conflist": chain("y", ours), "24-list.conf": chain("y", stale), "25-broken.conflist": "{", "26-ours.conflist": generated("10-a.conflist", chain("x", ours)),
			"27-broken.conflist": `{"name":"n","sluice.sluicemesh.io/source":"x","plugins":[]}`,
		}, `
pending 10-a.conflist x
write 21-stale.conflist 0640 [y sluice-cni]: our entry is stale
write 22-misplaced.conflist 0640 [y sluice-cni]: our entry is misplaced
remove 26-ours.conflist: generated from 10-a.conflist, no longer wanted`},
		"named": {Want{Named: "20-b.conflist"}, map[string]string{"10-a.conflist": chain("x"), "20-b.conflist": chain("y")}, `
pending 20-b.conflist y
write 20-b.conflist 0640 [y sluice-cni]: our entry is absent`},
		"named and not there": {Want{Named: "20-b.conflist"}, map[string]string{"10-a.conflist": chain("x")}, `
waiting
error: the named network configuration is not there yet, or not complete: /etc/cni/net.d/20-b.conflist`},
		"named and broken": {Want{Named: "20-b.conflist"}, map[string]string{"20-b.conflist": "{"}, `
waiting
error: the named network configuration is not there yet, or not complete: /etc/cni/net.d/20-b.conflist`},
		"named and nothing but a name": {Want{Named: "20-b"}, map[string]string{"20-b.conflist": chain("x")}, `
waiting
error: the named network configuration is not there yet, or not complete: /etc/cni/net.d/20-b`},
		"the program alone, nothing of ours": {Want{PluginOnly: true}, map[string]string{"10-a.conflist": chain("x")}, `
installed`},
		"the program alone": {Want{PluginOnly: true}, map[string]string{"10-a.conflist": chain("x", stale)}, `
pending
write 10-a.conflist 0640 [x]: uninstall`},
	} {
		t.Run(name, func(t *testing.T) { planned(t, c.Want, c.files, c.want) })
	}
}

func TestPlansOfSingleConfigurations(t *testing.T) {
	list := made(single, entry(t))
	for name, c := range map[string]struct {
		Want
		files map[string]string
		want  string
	}{
		"alone": {Want{}, map[string]string{"10-a.conf": single}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: 10-a.conf holds a single plugin
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conflist takes its place`},
		"of the other extension": {Want{}, map[string]string{"10-a.json": single}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: 10-a.json holds a single plugin
rename 10-a.json to 10-a.json.sluice-orig: 10-a.conflist takes its place`},
		"its list is there already": {Want{}, map[string]string{"10-a.conf": single, "10-a.conflist": list}, `
pending 10-a.conflist x
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conflist takes its place`},
		"its list has an older entry of ours": {Want{}, map[string]string{"10-a.conf": single, "10-a.conflist": strings.Replace(list, ours, stale, 1)}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: 10-a.conf holds a single plugin
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conflist takes its place`},
		"written anew": {Want{}, map[string]string{"10-a.conf": strings.Replace(single, `"x"`, `"y"`, 1), "10-a.conflist": list, "10-a.conf.sluice-orig": single}, `
pending 10-a.conflist y
write 10-a.conflist 0640 [y sluice-cni]: 10-a.conf holds a single plugin
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conflist takes its place`},
		"someone else has the stem": {Want{}, map[string]string{"10-a.conf": single, "10-a.conflist": chain("y")}, `
pending 10-a.conf.conflist x
write 10-a.conf.conflist 0640 [x sluice-cni]: 10-a.conf holds a single plugin
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conf.conflist takes its place`},
		"someone else has both names": {Want{}, map[string]string{"10-a.conf": single, "10-a.conflist": chain("y"), "10-a.conf.conflist": "{"}, `
refused 10-a.conf
error: every file name for a list made of 10-a.conf is taken in /etc/cni/net.d`},
		"someone else has the stem, and the second name a list of ours with older content": {Want{}, map[string]string{"10-a.conf": single, "10-a.conflist": chain("y"), "10-a.conf.conflist": chain("z", stale)}, `
pending 10-a.conf.conflist x
write 10-a.conf.conflist 0640 [x sluice-cni]: 10-a.conf holds a single plugin
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conf.conflist takes its place`},
		"too old": {Want{}, map[string]string{"10-a.conf": `{"name":"n","type":"x"}`}, `
refused 10-a.conf
error: 10-a.conf has cniVersion ""; plugins are chained from 0.3.0 on`},
		"too large as a list": {Want{}, map[string]string{"10-a.conf": single[:len(single)-1] + strings.Repeat(" ", conflist.MaxSize-len(single)) + "}"}, `
refused 10-a.conf
error: larger than 1048576 bytes`},
		"named": {Want{Named: "10-a.conf"}, map[string]string{"00-b.conflist": chain("y"), "10-a.conf": single}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: 10-a.conf holds a single plugin
rename 10-a.conf to 10-a.conf.sluice-orig: 10-a.conflist takes its place`},
		"named and a list by now": {Want{Named: "10-a.conf"}, map[string]string{"10-a.conf.sluice-orig": single, "10-a.conflist": list}, `
installed 10-a.conflist x`},
		"named and gone, its list edited": {Want{Named: "10-a.conf"}, map[string]string{"10-a.conf.sluice-orig": single, "10-a.conflist": chain("y")}, `
waiting
error: the named network configuration is not there yet, or not complete: /etc/cni/net.d/10-a.conf`},
		"named and gone, someone else has the stem": {Want{Named: "10-a.conf"}, map[string]string{"10-a.conf.sluice-orig": single, "10-a.conflist": chain("y"), "10-a.conf.conflist": list}, `
installed 10-a.conf.conflist x`},
		"named and gone": {Want{Named: "10-a.conf"}, map[string]string{"10-a.conflist": "{"}, `
waiting
error: the named network configuration is not there yet, or not complete: /etc/cni/net.d/10-a.conf`},
	} {
		t.Run(name, func(t *testing.T) { planned(t, c.Want, c.files, c.want) })
	}
}
