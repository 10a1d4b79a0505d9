// Package licences lists what a CoreDNS links because of the plugin, and under which terms.
package licences

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/test/parts"
)

var write = flag.Bool("write", false, "write docs/licences.md anew")

const heading = `# Licences

The modules whose packages CoreDNS links because of this plugin, and their licences. CoreDNS has most of them anyway.
The go.mod of your CoreDNS decides the versions. ` + "`make licences`" + ` writes this list, and a
test compares it with go.mod.

| module | version | licence |
| --- | --- | --- |
`

func TestLicencesAreListed(t *testing.T) {
	list := filepath.Join(parts.Root(), "docs", "licences.md")
	var text strings.Builder
	text.WriteString(heading)
	for _, m := range modules(t) {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", m.path, m.version, strings.Join(m.licences(t), ", "))
	}
	want := text.String()
	if *write && !t.Failed() {
		if err := os.WriteFile(list, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("%s is not what `make licences` writes (-want +got):\n%s", list, d)
	}
}

// module is a module that is linked, with the folders of those of its packages that are, and all above them.
type module struct {
	path, version string
	folders       map[string]bool
}

// modules lists, by path, all modules but this project's own that its packages need, on any system the same.
func modules(t *testing.T) []*module {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Version}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}", ".")
	cmd.Dir, cmd.Stderr = parts.Root(), os.Stderr
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*module)
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 4 {
			t.Fatalf("go list says %q", line)
		}
		m := all[fields[0]]
		if m == nil {
			m = &module{path: fields[0], version: fields[1], folders: make(map[string]bool)}
			all[m.path] = m
		}
		for root, folder := fields[2], fields[3]; len(folder) >= len(root); folder = filepath.Dir(folder) {
			m.folders[folder] = true
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *module) int { return strings.Compare(a.path, b.path) })
}

// licences names those in the module's files, which may be several.
func (m *module) licences(t *testing.T) (list []string) {
	t.Helper()
	for folder := range m.folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := strings.ToUpper(e.Name())
			if e.IsDir() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING"}, func(l string) bool { return strings.HasPrefix(name, l) }) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found := recognise(string(text))
			if len(found) == 0 {
				t.Errorf("%s: no licence that is known", filepath.Join(folder, e.Name()))
			}
			list = append(list, found...)
		}
	}
	if len(list) == 0 {
		t.Errorf("%s has no licence", m.path)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// marks are words that only that licence has, by its SPDX identifier.
var marks = []struct{ licence, words string }{
	{"Apache-2.0", "apache license version 2.0, january 2004"},
	{"Apache-2.0", "licensed under the apache license, version 2.0"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"MPL-2.0", "mozilla public license, version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
}

// recognise names the licences whose texts are in a file.
func recognise(text string) (list []string) {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, m := range marks {
		if strings.Contains(text, m.words) {
			list = append(list, m.licence)
		}
	}
	if strings.Contains(text, "redistribution and use in source and binary forms, with or without modification, are permitted") {
		bsd := "BSD-2-Clause"
		if strings.Contains(text, "endorse or promote products") {
			bsd = "BSD-3-Clause"
		}
		list = append(list, bsd)
	}
	return list
}
