// Command release builds CoreDNS with headless for others to use. It runs in the folder build, and writes bin/release.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/coredns/coredns/coremain"

	"github.com/coredns-headless/headless"
)

func main() {
	if err := release("bin/release"); err != nil {
		log.Fatal(err)
	}
}

// release writes the folder anew: an archive for each architecture, the line of plugin.cfg, and the checksums of
// these.
func release(folder string) error {
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o750)); err != nil {
		return err
	}
	var sums bytes.Buffer
	add := func(name string, content []byte) error {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), name)
		// #nosec G306 G703 -- for all to read; the names above
		return os.WriteFile(filepath.Join(folder, name), content, 0o644)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		name := fmt.Sprintf("headless-%s-linux-%s", headless.Version, arch)
		content, err := archive(name, arch)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := add(name+".tar.gz", content); err != nil {
			return err
		}
	}
	line, err := os.ReadFile("plugin.cfg")
	if err != nil {
		return err
	}
	line = fmt.Appendf(line, "# For CoreDNS %s:\n# go get github.com/coredns-headless/headless@v%s\n",
		coremain.CoreVersion, headless.Version)
	if err := add("plugin.cfg", line); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), sums.Bytes(), 0o644) // #nosec G306 -- as above
}

// goTool runs go for an architecture, whichever processor of it.
func goTool(arch string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), "go", args...) // #nosec G204 -- commands of this package
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS=linux", "GOARCH="+arch,
		"GOAMD64=v1", "GOARM64=v8.0")
	cmd.Stderr = os.Stderr
	return cmd.Output()
}
