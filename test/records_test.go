package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// row is a row of a table of records.
type row struct{ example, types, reply string }

// recordTables are the rows of the tables below a heading of a document.
func recordTables(t *testing.T, path, heading string) (rows []row) {
	t.Helper()
	_, text, _ := strings.Cut(documentText(t, path), "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 6 || strings.Contains(line, "---") || strings.Contains(line, "| Example |") {
			continue
		}
		rows = append(rows, row{strings.Trim(f[2], " `"), strings.TrimSpace(f[3]), strings.TrimSpace(f[4])})
	}
	return rows
}

// Every row of the reference's tables of records, and of the README's table of names, is what `make run` answers to
// the example, for each of its types.
func TestReferenceRecords(t *testing.T) {
	t.Parallel()
	server.Need(t, "dig", "bind9-dnsutils")
	text, err := os.ReadFile(filepath.Join(parts.Root(), "examples", "Corefile"))
	if err != nil {
		t.Fatal(err)
	}
	// What goes to the next plugin comes back with the SOA of the stub's zone.
	s := startCorefile(t, strings.NewReplacer("{$PORT}", "PORT", "{$EXPLAIN}", server.Free(t), "errors\n", "errors\n    ready READY\n    forward . "+server.Stub(t)+"\n",
		"manifests cluster.yaml", "manifests "+filepath.Join(parts.Root(), "examples", "cluster.yaml")).Replace(string(text)))
	rows, names := recordTables(t, reference, "Records"), recordTables(t, "README.md", "Names")
	if len(rows) < 40 || len(names) < 6 {
		t.Fatalf("found %d rows in the reference, %d in the README", len(rows), len(names))
	}
	for _, row := range append(rows, names...) {
		types := strings.NewReplacer("any other", "MX, HTTPS, DS", "any", "A, AAAA, SRV, TXT, NS, PTR, MX").Replace(row.types)
		list := strings.Split(types, ", ")
		for i, r := range s.DigTypes(t, row.example, list...) {
			if got := outcome(r); !matches(got, row.reply) {
				t.Errorf("%s %s: the document says %q, the reply is %q\n%s", row.example, list[i], row.reply, got, r.Text)
			}
		}
	}
}

// outcome says of a reply what the tables do: the types in the answer, or why there is none; and those of the
// additional section.
func outcome(r server.Reply) string {
	types := func(section []string) string {
		var list []string
		for _, rr := range section {
			list = append(list, strings.Fields(rr)[3])
		}
		slices.SortFunc(list, func(a, b string) int { // a CNAME comes before what it leads to
			if a == "CNAME" || b == "CNAME" {
				return strings.Compare(b, a)
			}
			return strings.Compare(a, b)
		})
		return strings.Join(slices.Compact(list), " ")
	}
	switch {
	case r.Status != "NOERROR" && r.Status != "NXDOMAIN":
		return r.Status
	case len(r.Authority) > 0 && strings.Contains(r.Authority[0], "test. "):
		return "next plugin"
	case r.Status == "NXDOMAIN" && len(r.Answer) == 0:
		return "NXDOMAIN"
	case len(r.Answer) == 0 && len(r.Authority) == 1:
		return "NODATA"
	case len(r.Additional) > 0:
		return types(r.Answer) + ", " + types(r.Additional) + " in the additional section"
	}
	return types(r.Answer)
}

var aside = regexp.MustCompile(`( for each| of each| of the| to the) [a-z A-Z]*|, (since|all) .*`)

// matches reports whether the document's words mean that outcome.
func matches(outcome, words string) bool { return aside.ReplaceAllString(words, "") == outcome }
