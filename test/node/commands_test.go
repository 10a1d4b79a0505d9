package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/documents"
	"github.com/coredns-headless/headless/test/parts"
)

// blocks are the commands below a heading of a document, and the folder that they run in: one with deploy in it, as
// the project's, since they write files.
type blocks struct {
	list []documents.Block
	dir  string
}

func section(t *testing.T, document, heading string) blocks {
	t.Helper()
	all, err := documents.Blocks(document)
	if err != nil {
		t.Fatal(err)
	}
	b := blocks{dir: t.TempDir()}
	for _, block := range all {
		if block.Heading == heading {
			b.list = append(b.list, block)
		}
	}
	if len(b.list) == 0 {
		t.Fatalf("%s has no commands below %q", document, heading)
	}
	if err := os.CopyFS(filepath.Join(b.dir, "deploy"), os.DirFS(filepath.Join(parts.Root(), "deploy"))); err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs the commands of a block as an administrator.
func (b blocks) run(t *testing.T, i int) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.list[i].Text)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig, "PATH="+filepath.Dir(cluster.kubectl)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// print runs a block until it prints an address, whatever its exit code, for which see found.
func (b blocks) print(t *testing.T, i int, address string) {
	t.Helper()
	wait(t, func() error {
		out, err := b.run(t, i)
		if strings.Contains(out, address) {
			return nil
		}
		return errors.Join(fmt.Errorf("no %s in %s", address, out), err)
	})
}

// do is run for what must work, with nothing for the API server to warn of.
func (b blocks) do(t *testing.T, i int) {
	t.Helper()
	if out, err := b.run(t, i); err != nil || strings.Contains(out, "Warning:") {
		t.Fatalf("%s: %v\n%s", b.list[i].Text, err, out)
	}
}
