package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// signature changes when a file does.
type signature struct {
	info   fs.FileInfo
	target string // where symlinks lead, as those of a ConfigMap's volume
}

// is reports whether the file is as it was.
func (s signature) is(was signature) bool {
	return was.info != nil && s.target == was.target && s.info.Size() == was.info.Size() &&
		s.info.ModTime().Equal(was.info.ModTime()) && os.SameFile(s.info, was.info)
}

// look lists the files there are, and calls fail for every path that cannot be looked at.
func (m *manifests) look(fail func(path string, err error)) map[string]signature {
	seen := make(map[string]signature)
	for _, path := range m.paths {
		info, err := os.Stat(path)
		if err != nil {
			fail(path, pathError(path, err))
			continue
		}
		target, _ := filepath.EvalSymlinks(path) // an error shows when the file is read
		if _, was := m.files[path]; was || !info.IsDir() {
			seen[path] = signature{info: info, target: target}
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			fail(path, pathError(path, err))
			continue
		}
		for _, e := range entries {
			name := filepath.Join(path, e.Name())
			if strings.HasPrefix(e.Name(), ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
				continue
			}
			if sig, ok := m.sign(name, e); ok {
				sig.target = target + sig.target
				seen[name] = sig
			}
		}
	}
	return seen
}

// sign looks at a file of a folder. One that was good before is still there as long as the folder has its name, and is no good where
// that is a link that leads nowhere, or a folder.
func (m *manifests) sign(path string, e fs.DirEntry) (sig signature, ok bool) {
	info, err := os.Stat(path)
	if _, was := m.files[path]; !was && (err != nil || info.IsDir()) {
		return sig, false // it went meanwhile, or leads nowhere yet
	}
	if err != nil {
		if info, err = os.Lstat(path); err != nil {
			return sig, false
		}
	}
	sig.info = info
	if e.Type()&fs.ModeSymlink != 0 { // not for others: that would look at every folder above them
		sig.target, _ = filepath.EvalSymlinks(path) // an error shows when the file is read
	}
	return sig, true
}

func pathError(path string, err error) error {
	if pe := new(fs.PathError); errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: "manifests", Path: strconv.Quote(path), Err: fmt.Errorf("%w: allowed are YAML and JSON files that can be read, and folders of them", err)}
}

var (
	errNoFile   = errors.New("neither a file nor a folder")
	errUnsteady = errors.New("it changes while it is read")
	errTooLarge = errors.New("it has more than 1 GiB")
)

// textMax is how many octets are read of a file: a sparse one may seem to have more than there is memory. 150,000 endpoints are 45 MB.
const textMax = 1 << 30

// open opens a file or a folder. Anything else it refuses: a named pipe may never have a writer, and opened so it does not wait for one.
func open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // #nosec G304 -- the Corefile names it
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = errNoFile
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// text is what a file holds. Of a folder, reading says what is wrong.
func text(path string) ([]byte, error) {
	f, before, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if before.Size() > textMax {
		return nil, errTooLarge
	}
	text := make([]byte, before.Size()+1)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || int64(n) != after.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, errors.Join(errUnsteady, err)
	}
	return text[:n], nil
}
