// Package install puts the plugin and its entry into the host's network
// configuration, keeps them there, and takes them out again.
//
//	folder ─ReadFolder→ Folder ─┐
//	                            ├─ Want.Plan → Plan (actions as values) ─Apply→ folder
//	settings ─────────→ Want ───┘
//
// Planning is pure: `status` prints a plan, `install --once` carries out one,
// the watch loop does so whenever the folder changes, and uninstall is another
// plan over the same folder. Every action is one atomic change, and after each
// of them the runtime finds either what was there before or what is wanted:
// the order of the actions is the proof against being killed between them.
package install
