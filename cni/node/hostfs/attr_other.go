//go:build !linux

package hostfs

import "io/fs"

// AttrOf gives the mode of a file; owners are a matter of Linux here.
func AttrOf(info fs.FileInfo) Attr { return Attr{Mode: info.Mode().Perm()} }
