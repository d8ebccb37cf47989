package install

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/cni/node/conflist"
)

func TestPlansOfListsWithDropIns(t *testing.T) {
	const other = `{"type":"t"}`
	const inlined = `{"name":"n","cniVersion":"1.0.0","loadOnlyInlinedPlugins":true,"plugins":[{"type":"x"}]}`
	for name, c := range map[string]struct {
		Want
		files map[string]string
		want  string
	}{
		"someone else's": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": other}, `
pending 10-a.conflist x
write n/zz-sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"someone else's behind our entry": {Want{}, map[string]string{"10-a.conflist": chain("x", ours), "n/50-t.conf": other}, `
pending 10-a.conflist x
write n/zz-sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"in order": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": other, "n/zz-sluice-cni.conf": ours}, `
installed 10-a.conflist x`},
		"in order, but in the list too": {Want{}, map[string]string{"10-a.conflist": chain("x", ours), "n/50-t.conf": other, "n/zz-sluice-cni.conf": ours}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"ours under another name": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": other, "n/60-s.conf": ours}, `
pending 10-a.conflist x
write n/zz-sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
remove n/60-s.conf: our entry stands further behind
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"ours stale": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": other, "n/zz-sluice-cni.conf": stale}, `
pending 10-a.conflist x
write n/zz-sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"ours broken": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": other, "n/zz-sluice-cni.conf": "{"}, `
pending 10-a.conflist x
write n/zz-sluice-cni~sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"ours in front": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/zz-sluice-cni.conf": ours, "n/zzz.conf": other}, `
pending 10-a.conflist x
write n/zzz~sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
remove n/zz-sluice-cni.conf: our entry stands further behind
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"ours twice": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/40-s.conf": ours, "n/50-t.conf": other, "n/zz-sluice-cni.conf": ours}, `
pending 10-a.conflist x
remove n/40-s.conf: our entry stands further behind
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"someone else's under our name": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/zz-sluice-cni.conf": other}, `
pending 10-a.conflist x
write n/zz-sluice-cni~sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
write 10-a.conflist 0640 [x]: our entry stands in the drop-in folder`},
		"only ours": {Want{}, map[string]string{"10-a.conflist": chain("x"), "n/zz-sluice-cni.conf": ours}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: our entry is absent
remove n/zz-sluice-cni.conf: our entry stands in the list
write 10-a.conflist 0640 [x sluice-cni]: its drop-in folder changed`},
		"only ours, and in the list": {Want{}, map[string]string{"10-a.conflist": chain("x", ours), "n/zz-sluice-cni.conf": ours}, `
pending 10-a.conflist x
remove n/zz-sluice-cni.conf: our entry stands in the list
write 10-a.conflist 0640 [x sluice-cni]: its drop-in folder changed`},
		"not looked at": {Want{}, map[string]string{"10-a.conflist": inlined, "n/50-t.conf": other}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: our entry is absent`},
		"of another network": {Want{}, map[string]string{"10-a.conflist": chain("x"), "m/50-t.conf": other}, `
pending 10-a.conflist x
write 10-a.conflist 0640 [x sluice-cni]: our entry is absent`},
		"list of our own": {Want{Owned: true}, map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": other}, `
pending 00-sluice-cni.conflist x
write n/zz-sluice-cni.conf 0644 {"type":"sluice-cni"}\n: plugins of the drop-in folder follow the list's
write 00-sluice-cni.conflist 0640 [x]: generated from 10-a.conflist`},
	} {
		t.Run(name, func(t *testing.T) { planned(t, c.Want, c.files, c.want) })
	}
}

func TestPlansOfAListOfOurOwn(t *testing.T) {
	own := generated("10-a.conflist", chain("x", ours))
	large := `{"name":"n","cniVersion":"1.0.0","plugins":[{"type":"x"}]` + strings.Repeat(" ", conflist.MaxSize-60) + "}"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing there": {map[string]string{}, `
waiting
error: no network configuration that a runtime could load yet`},
		"its source is away": {map[string]string{"00-sluice-cni.conflist": own}, `
waiting
error: no network configuration that a runtime could load yet`},
		"none yet": {map[string]string{"10-a.conflist": chain("x")}, `
pending 00-sluice-cni.conflist x
write 00-sluice-cni.conflist 0640 [x sluice-cni]: generated from 10-a.conflist`},
		"in order": {map[string]string{"00-sluice-cni.conflist": own, "10-a.conflist": chain("x")}, `
installed 00-sluice-cni.conflist x`},
		"its source changed": {map[string]string{"00-sluice-cni.conflist": own, "10-a.conflist": chain("y")}, `
pending 00-sluice-cni.conflist y
write 00-sluice-cni.conflist 0640 [y sluice-cni]: generated from 10-a.conflist`},
		"other lists have our entry": {map[string]string{"10-a.conflist": chain("x", ours), "20-b.conflist": chain("y", stale), "30-c.conflist": chain("z")}, `
pending 00-sluice-cni.conflist x
write 00-sluice-cni.conflist 0640 [x sluice-cni]: generated from 10-a.conflist
write 10-a.conflist 0640 [x]: the list of our own has our entry
write 20-b.conflist 0640 [y]: the list of our own has our entry`},
		"of a single configuration": {map[string]string{"10-a.conf": single}, `
pending 00-sluice-cni.conflist x
write 00-sluice-cni.conflist 0640 [x sluice-cni]: generated from 10-a.conf`},
		"someone else sorts in front": {map[string]string{"00-a.conflist": chain("y"), "00-sluice-cni.conflist": own}, `
pending 00--sluice-cni.conflist y
write 00--sluice-cni.conflist 0640 [y sluice-cni]: generated from 00-a.conflist
remove 00-sluice-cni.conflist: generated from 10-a.conflist, no longer wanted`},
		"what runtimes do not load sorts in front": {map[string]string{"00-a.conf.sluice-orig": single, "10-a.conflist": chain("x")}, `
pending 00-sluice-cni.conflist x
write 00-sluice-cni.conflist 0640 [x sluice-cni]: generated from 10-a.conflist`},
		"someone else has our name": {map[string]string{"00-sluice-cni.conflist": chain("x")}, `
pending 00--sluice-cni.conflist x
write 00--sluice-cni.conflist 0640 [x sluice-cni]: generated from 00-sluice-cni.conflist`},
		"someone else has our second name": {map[string]string{"00--sluice-cni.conflist": chain("x")}, `
pending !-sluice-cni.conflist x
write !-sluice-cni.conflist 0640 [x sluice-cni]: generated from 00--sluice-cni.conflist`},
		"no name sorts first": {map[string]string{"!!.conflist": chain("x")}, `
refused !!.conflist
error: every file name that sorts first is taken in /etc/cni/net.d`},
		"nothing but ours": {map[string]string{"10-a.conflist": chain(ours)}, `
refused 10-a.conflist
error: no plugins`},
		"too large with our entry": {map[string]string{"10-a.conflist": large}, `
refused 10-a.conflist
error: larger than 1048576 bytes`},
		"too old": {map[string]string{"10-a.conflist": strings.Replace(chain("x"), "1.0.0", "0.1.0", 1)}, `
refused 10-a.conflist
error: 10-a.conflist has cniVersion "0.1.0"; plugins are chained from 0.3.0 on`},
	} {
		t.Run(name, func(t *testing.T) { planned(t, Want{Owned: true}, c.files, c.want) })
	}
}

func TestRemovals(t *testing.T) {
	w := Want{Entry: entry(t)}
	list := made(single, w.Entry)
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing of ours": {map[string]string{"05-b.conflist": "{", "10-a.conflist": chain("x"), "20-b.conf": single, "n/50-t.conf": `{"type":"t"}`, "30-u.conflist": unreadable}, ``},
		"an entry in every list": {map[string]string{"10-a.conflist": chain("x", stale), "20-b.conflist": chain(ours, "y"), "30-c.conf": chain("z", ours)}, `
write 10-a.conflist 0640 [x]: uninstall
write 20-b.conflist 0640 [y]: uninstall`},
		"a list of our own": {map[string]string{"00-sluice-cni.conflist": generated("10-a.conflist", chain("x", ours)), "10-a.conflist": chain("x")}, `
remove 00-sluice-cni.conflist: generated from 10-a.conflist`},
		"a list made of a single configuration": {map[string]string{"10-a.conf.sluice-orig": single, "10-a.conflist": list}, `
rename 10-a.conf.sluice-orig to 10-a.conf: its list goes
remove 10-a.conflist: made of a single configuration that is back`},
		"the same of the other extension": {map[string]string{"10-a.json.sluice-orig": single, "10-a.conflist": list}, `
rename 10-a.json.sluice-orig to 10-a.json: its list goes
remove 10-a.conflist: made of a single configuration that is back`},
		"the same under the second name": {map[string]string{"10-a.conf.sluice-orig": single, "10-a.conflist": chain("y"), "10-a.conf.conflist": list}, `
rename 10-a.conf.sluice-orig to 10-a.conf: its list goes
remove 10-a.conf.conflist: made of a single configuration that is back`},
		"the same, edited since": {map[string]string{"10-a.conf.sluice-orig": single, "10-a.conflist": chain("x", "y", ours)}, `
rename 10-a.conf.sluice-orig to 10-a.conf: its list goes
write 10-a.conflist 0640 [x y]: uninstall`},
		"the same content under a name that we do not give": {map[string]string{"10-a.conf.sluice-orig": single, "20-b.conflist": list}, `
rename 10-a.conf.sluice-orig to 10-a.conf: its list goes
write 20-b.conflist 0640 [x]: uninstall`},
		"the same, not parked yet": {map[string]string{"10-a.conf": single, "10-a.conflist": list}, `
remove 10-a.conflist: made of a single configuration that is back`},
		"written anew since": {map[string]string{"10-a.conf": strings.Replace(single, `"x"`, `"y"`, 1), "10-a.conf.sluice-orig": single, "10-a.conflist": list}, `
remove 10-a.conf.sluice-orig: 10-a.conf was written anew
remove 10-a.conflist: made of a single configuration that is back`},
		"in the drop-in folder": {map[string]string{"10-a.conflist": chain("x"), "n/50-t.conf": `{"type":"t"}`, "n/zz-sluice-cni.conf": ours}, `
remove n/zz-sluice-cni.conf: uninstall
write 10-a.conflist 0640 [x]: uninstall`},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tell(w.Removal(folder(c.files)), c.files), "\n")
			if want := strings.TrimSpace(c.want); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if again := w.Removal(folder(c.files)); len(again) > 0 {
				t.Errorf("after the removal: got %s, want nothing left to do", tell(again, c.files))
			}
		})
	}
}
