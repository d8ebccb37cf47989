package kernfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Read returns the first bytes of a file, most of them at most. Its errors are
// *fs.PathError, as those of os.ReadFile.
func Read(path string, most int) ([]byte, error) {
	fd, err := again(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var data []byte
	for len(data) < most {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, max(512, 2*len(data))), data...)
		}
		room := data[len(data):min(cap(data), most)]
		n, err := again(func() (int, error) { return unix.Read(fd, room) })
		if err != nil {
			return data, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			break
		}
		data = data[:len(data)+n]
	}
	return data, nil
}

// again repeats a call that a signal interrupted; the runtime's own come often.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
