package controlplane

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFoldersWhoseProcessEndedAreRemoved(t *testing.T) {
	parent := t.TempDir()
	used, lock, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	left, ends, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(parent, folderPrefix+"begun") // has no lock yet
	if err := os.Mkdir(begun, 0o700); err != nil {
		t.Fatal(err)
	}
	ends.Close() // as the process's end does
	sweep(parent)
	for dir, want := range map[string]bool{used: true, left: false, begun: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", dir, err, want)
		}
	}
	lock.Close()
}
