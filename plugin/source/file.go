package source

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotFile says that a path leads to something that cannot be read like a file.
var ErrNotFile = errors.New("neither a file nor a folder")

var (
	errChanging = errors.New("file changes while it is read")
	errTooLarge = errors.New("file has more than 1 GiB")
)

// maxFile bounds what is read of a file: a sparse one may seem to have more than there is memory. 150,000 endpoints
// are 45 MB.
const maxFile = 1 << 30

// OpenFile opens a file or a folder for reading. It refuses anything else, and does not wait for the writer of a
// named pipe.
func OpenFile(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // #nosec G304 -- the Corefile names it
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = ErrNotFile
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// ReadFile reads a whole file of at most 1 GiB. A file that changes meanwhile is an error.
func ReadFile(path string) ([]byte, error) {
	f, before, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if before.Size() > maxFile {
		return nil, errTooLarge
	}
	content := make([]byte, before.Size()+1)
	n, err := io.ReadFull(f, content)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || int64(n) != after.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, errors.Join(errChanging, err)
	}
	return content[:n], nil
}
