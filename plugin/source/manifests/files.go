package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// look lists the files, and calls fail for each path that it cannot look at.
func (p *poller) look(fail func(path string, err error)) map[string]signature {
	seen := make(map[string]signature)
	for _, path := range p.paths {
		info, err := os.Stat(path)
		if err != nil {
			fail(path, pathError(path, err))
			continue
		}
		target, _ := filepath.EvalSymlinks(path) // an error shows when the file is read
		if _, was := p.files[path]; was || !info.IsDir() {
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
			if sig, ok := p.sign(name, e); ok {
				sig.target = target + sig.target
				seen[name] = sig
			}
		}
	}
	return seen
}

// sign looks at a file of a folder. A name that was a file before counts as one as long as the folder has it: if it
// is a link to nowhere or a folder now, reading it fails.
func (p *poller) sign(path string, e fs.DirEntry) (sig signature, ok bool) {
	info, err := os.Stat(path)
	if _, was := p.files[path]; !was && (err != nil || info.IsDir()) {
		return sig, false // it is gone, or leads nowhere yet
	}
	if err != nil {
		if info, err = os.Lstat(path); err != nil {
			return sig, false
		}
	}
	sig.info = info
	if e.Type()&fs.ModeSymlink != 0 { // for others this would look at every folder above them
		sig.target, _ = filepath.EvalSymlinks(path) // an error shows when the file is read
	}
	return sig, true
}

func pathError(path string, err error) error {
	if pe := new(fs.PathError); errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{
		Op: "manifests", Path: strconv.Quote(path), Err: fmt.Errorf("%w; give YAML or JSON files, or folders of them", err),
	}
}
