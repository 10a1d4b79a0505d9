package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// look lists the files, and says of each path that it cannot look at why.
func (p *poller) look() (seen map[string]signature, failed map[string]error) {
	seen, failed = make(map[string]signature), make(map[string]error)
	for _, path := range p.paths {
		info, err := os.Stat(path)
		if err != nil {
			failed[path] = pathError(path, err)
			continue
		}
		target, _ := filepath.EvalSymlinks(path) // an error shows when the file is read
		if _, was := p.files[path]; was || !info.IsDir() {
			seen[path] = signature{info: info, target: target}
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			failed[path] = pathError(path, err)
		}
		for _, e := range entries {
			name := filepath.Join(path, e.Name())
			isManifest := slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
			if strings.HasPrefix(e.Name(), ".") || !isManifest {
				continue
			}
			// A name that was a file before counts as one as long as the folder has it: if it is a link to nowhere or
			// a folder now, reading it fails.
			_, was := p.files[name]
			info, err := os.Stat(name)
			if err != nil && was {
				info, err = os.Lstat(name)
			}
			if err != nil || info.IsDir() && !was {
				continue
			}
			sig := signature{info: info, target: target}
			if e.Type()&fs.ModeSymlink != 0 { // for others this would look at every folder above them
				to, _ := filepath.EvalSymlinks(name) // an error shows when the file is read
				sig.target += to
			}
			seen[name] = sig
		}
	}
	return seen, failed
}

// errUnreadable is why a path is not even a bad file.
var errUnreadable = errors.New("give YAML or JSON files, or folders of them")

func pathError(path string, err error) error {
	if pe := new(fs.PathError); errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("manifests %q: %w; %w", path, err, errUnreadable)
}
