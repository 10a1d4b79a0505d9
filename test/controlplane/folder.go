package controlplane

import (
	"os"
	"path/filepath"
	"syscall"
)

const (
	folderPrefix = "headless-controlplane-"
	lockName     = "lock"
)

// newFolder makes a folder below parent, and a lock that is held until it is closed, or this process ends. Folders of
// processes that ended without a chance to remove them are removed.
func newFolder(parent string) (dir string, lock *os.File, err error) {
	sweep(parent)
	if dir, err = os.MkdirTemp(parent, folderPrefix); err != nil {
		return "", nil, err
	}
	path := filepath.Join(dir, lockName)
	if lock, err = os.Create(path + ".new"); err != nil {
		return "", nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", nil, err
	}
	return dir, lock, os.Rename(path+".new", path) // nobody sees it without its lock
}

func sweep(parent string) {
	list, _ := filepath.Glob(filepath.Join(parent, folderPrefix+"*", lockName)) // the pattern is well-formed, if the system's folder is
	for _, path := range list {
		f, err := os.Open(path)
		if err != nil {
			continue // somebody else's, or gone
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path)) // the next one tries again
		}
		f.Close()
	}
}
