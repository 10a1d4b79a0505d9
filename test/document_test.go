package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/documents"
	"github.com/coredns-headless/headless/test/server"
)

var kubernetesLine = regexp.MustCompile(`(?m)^    kubernetes ([a-z0-9. -]*?)( \{)?$`)

// ours is a document's Corefile with ports and addresses of this test, and a kubeconfig where it would have a pod's
// service account.
func ours(t *testing.T, text, kubeconfig string) string {
	t.Helper()
	stub := server.Stub(t)
	text = strings.NewReplacer(":53 {", ":PORT {\n    bind 127.0.0.1", "    ready\n", "    ready READY\n", "    health {", "    health HEALTH {",
		"prometheus :9153", "prometheus METRICS", "/etc/resolv.conf", stub, "/etc/coredns/kubeconfig", kubeconfig, "to 192.0.2.53", "to "+stub).Replace(text)
	if !strings.Contains(text, "ready READY") {
		text = strings.Replace(text, "    bind 127.0.0.1", "    bind 127.0.0.1\n    ready READY", 1)
	}
	if strings.Contains(text, "kubeconfig") {
		return text
	}
	withOption := func(line string) string {
		head, braced := strings.CutSuffix(line, " {")
		if head += " {\n       kubeconfig " + kubeconfig; !braced {
			head += "\n    }"
		}
		return head
	}
	text = regexp.MustCompile(`(?m)^    headless cluster.local.*$`).ReplaceAllStringFunc(text, withOption)
	return kubernetesLine.ReplaceAllStringFunc(text, withOption)
}

// asked is a row of a document's table of names.
type asked struct {
	head  string // of the table's first column
	cells []string
}

// section is what stands below a heading.
type section struct {
	title     string
	corefiles []string
	manifests []string
	rows      []asked
}

// sections are those of a document, by its headings of the second level.
func sections(t *testing.T, path string) (list []section) {
	t.Helper()
	blocks, err := documents.Blocks(path)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(documentText(t, path), "\n## ") {
		title, text, _ := strings.Cut(part, "\n")
		s := section{title: title}
		for _, b := range blocks {
			switch {
			case b.Heading != title:
			case b.Language == "corefile":
				s.corefiles = append(s.corefiles, b.Text)
			case b.Language == "yaml":
				s.manifests = append(s.manifests, b.Text)
			}
		}
		s.rows = tableRows(text)
		list = append(list, s)
	}
	return list
}

func tableRows(text string) (rows []asked) {
	head := ""
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			head = ""
		case head == "":
			head = cells[0]
		case strings.HasPrefix(cells[0], "---"):
		default:
			rows = append(rows, asked{head, cells})
		}
	}
	return rows
}

// answers checks that a reply is what a cell of a table says: the types of the answer's records, or why there are
// none, and what more is said of them: whose targets, which SOA, or a record's data.
func answers(t *testing.T, r server.Reply, cell, name string) {
	t.Helper()
	words, more, _ := strings.Cut(cell, ", ")
	got, _, _ := strings.Cut(outcome(r), ", ")
	if got == "next plugin" {
		got = r.Status
	}
	if got != words {
		t.Errorf("%s: %q, the document says %q\n%s", name, got, cell, r.Text)
	}
	what, domain, ok := strings.Cut(strings.TrimSuffix(more, "`"), "`")
	if !ok {
		return
	}
	for _, rr := range slices.Concat(r.Answer, r.Authority) {
		f := strings.Fields(rr)
		switch {
		case what == "targets below " && f[3] == "SRV" && strings.HasSuffix(f[7], "."+domain+"."):
		case what == "SOA of " && f[0] == domain+".":
		case what == "" && f[4] == domain+".":
		default:
			t.Errorf("%s: %s, the document says %q", name, rr, cell)
		}
	}
}
