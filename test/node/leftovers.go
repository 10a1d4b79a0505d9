package node

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// machine is what a node could leave behind.
type machine struct {
	mounts, interfaces, cgroups, files []string
}

// look looks at the machine, as it is outside the node's namespaces.
func look() (m machine, err error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return m, err
	}
	m.mounts = strings.Split(string(text), "\n")
	interfaces, err := net.Interfaces()
	if err != nil {
		return m, err
	}
	for _, i := range interfaces {
		m.interfaces = append(m.interfaces, i.Name)
	}
	list, err := hierarchies(true)
	if err != nil {
		return m, err
	}
	for _, h := range list {
		if m.cgroups, err = names(m.cgroups, h); err != nil {
			return m, err
		}
	}
	for _, dir := range []string{"/run", "/etc", "/etc/cni", "/opt", "/opt/cni", "/var", "/var/lib", "/var/lib/cni", "/var/lib/kubelet", "/var/lib/containerd", "/var/log", "/var/log/pods"} {
		if m.files, err = names(m.files, dir); err != nil && !os.IsNotExist(err) {
			return m, err
		}
	}
	return m, nil
}

// names appends the entries of dir.
func names(list []string, dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		list = append(list, filepath.Join(dir, e.Name()))
	}
	return list, err
}

// leftovers says what is there now and was not before, the processes of the node in dir included.
func leftovers(before machine, dir string) error {
	now, err := look()
	if err != nil {
		return err
	}
	var left []string
	for _, pair := range [][2][]string{
		{before.mounts, now.mounts},
		{before.interfaces, now.interfaces},
		{before.cgroups, now.cgroups},
		{before.files, now.files},
	} {
		for _, name := range pair[1] {
			base := filepath.Base(name)
			others := strings.HasPrefix(base, prefix) && base != filepath.Base(dir) || // a node that runs beside this one
				strings.HasPrefix(base, "headless-image-") // cgroups of test/image
			if !slices.Contains(pair[0], name) && !others {
				left = append(left, name)
			}
		}
	}
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return err
	}
	for _, path := range environs {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), inside+"="+dir) { // an error: it has ended meanwhile
			left = append(left, "process "+filepath.Base(filepath.Dir(path)))
		}
	}
	if _, err := os.Stat(dir); err == nil {
		left = append(left, dir)
	}
	if len(left) > 0 {
		return fmt.Errorf("the node left behind: %s", strings.Join(left, ", "))
	}
	return nil
}
