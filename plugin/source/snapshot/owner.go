package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// user is whom CoreDNS runs as, negative where the system has no such numbers.
var user = os.Geteuid()

// maxLinks is how many links may lead to one another.
const maxLinks = 40

// follow returns where links lead, even to nothing, so that a new file does not replace a link. It is an error if a
// link or the file belongs to another user, other than root: in a folder that all may write to, somebody could choose
// what is read, or what is replaced. Of a file that does not exist the folder counts.
func follow(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			if info, err = os.Stat(filepath.Dir(path)); err == nil {
				err = checkOwner("its folder", info)
			}
			return path, err
		}
		if err == nil {
			err = checkOwner("it", info)
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, err
		}
		target, err := os.Readlink(path)
		if err != nil {
			return path, err
		}
		if !filepath.IsAbs(target) {
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return path, err
			}
			target = filepath.Join(folder, target)
		}
		path = target
	}
	return path, errors.New("too many links")
}

func checkOwner(what string, info fs.FileInfo) error {
	if id, ok := ownerOf(info); ok && id != 0 && id != user {
		return fmt.Errorf("%s belongs to user %d; want user %d, whom CoreDNS runs as, or root", what, id, user)
	}
	return nil
}
