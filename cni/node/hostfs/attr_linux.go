package hostfs

import (
	"io/fs"
	"syscall"
)

// AttrOf gives mode and owner of a file.
func AttrOf(info fs.FileInfo) Attr {
	a := Attr{Mode: info.Mode().Perm()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		a.UID, a.GID = int(stat.Uid), int(stat.Gid)
	}
	return a
}
