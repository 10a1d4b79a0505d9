package load

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// TestLoadShort runs what `make load` does, for seconds. It looks for answers, never for their speed: that is the business of a
// machine that does nothing else.
func TestLoadShort(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in -short: it needs a control plane")
	}
	server.Need(t, "dnsperf", "dnsperf")
	var tables, progress bytes.Buffer
	o := Options{
		Settings: []string{UDP, TCP}, Sizes: []int{1, 100}, Rounds: 1, RecordSizes: []int{100}, RecordRounds: 1, Duration: 300 * time.Millisecond,
		Folder: t.TempDir(), Tables: &tables, Progress: &progress,
	}
	if err := Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	t.Log(tables.String())
	answered := readCSV(t, o.Folder)
	for _, c := range contenders {
		for _, row := range []string{"udp 1", "udp 100", "tcp 100"} {
			if c.once && row == "udp 100" {
				continue
			}
			if answered[row+" "+c.name] == 0 {
				t.Errorf("%s: no queries answered", row+" "+c.name)
			}
		}
		if explained[c.name] == "" || !c.once && style[c.name].label == "" {
			t.Errorf("%s is not explained, or not drawn", c.name)
		}
	}
	svg, err := os.ReadFile(filepath.Join(o.Folder, "qps.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(svg), "<polyline"), len(style); got != want {
		t.Errorf("%d lines are drawn, want %d", got, want)
	}
}

// readCSV returns queries answered by setting, size and contender.
func readCSV(t *testing.T, folder string) map[string]int {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, "load.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	answered := make(map[string]int)
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[4])
		if err != nil {
			t.Fatal(err)
		}
		answered[strings.Join(row[:3], " ")] += n
	}
	return answered
}

const perfect = `[Status] Testing complete (time limit)

Statistics:

  Queries sent:         30234
  Queries completed:    30234 (100.00%)
  Queries lost:         0 (0.00%)

  Response codes:       NOERROR 30234 (100.00%)
  Average packet size:  request 45, response 90
  Run time (s):         0.300207
  Queries per second:   100710.509748
`

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		want           perf
		err            string
	}{
		{name: "perfect", want: perf{sent: 30234, completed: 30234, elapsed: 300207 * time.Microsecond}},
		{name: "lost", old: "lost:         0", new: "lost:         7", want: perf{sent: 30234, completed: 30234, lost: 7, elapsed: 300207 * time.Microsecond}},
		{name: "denied", old: "NOERROR 30234 (100.00%)", new: "NOERROR 30233 (100.00%), NXDOMAIN 1 (0.00%)", err: "not all of 30234 replies are NOERROR: NOERROR 30233 (100.00%), NXDOMAIN 1 (0.00%)"},
		{name: "none", old: "NOERROR 30234 (100.00%)", new: "", err: "not all of 30234 replies are NOERROR: "},
		{name: "nothing", old: "completed:    30234", new: "completed:    0", err: "no query was answered"},
		{name: "other", old: perfect, new: "Usage: dnsperf", err: "invalid syntax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(strings.Replace(perfect, tt.old, tt.new, 1))
			switch {
			case tt.err == "" && (err != nil || got != tt.want):
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// TestHas checks that no wrong answer is measured.
func TestHas(t *testing.T) {
	const qname, right = "web-0.load-1.svc.cluster.local.", "web-0.load-1.svc.cluster.local. 5 IN A 10.64.0.1"
	for _, tt := range []struct {
		name   string
		rcode  int
		answer []string
		addr   string
		err    string
	}{
		{name: "right", answer: []string{right}, addr: "10.64.0.1"},
		{name: "blank"},
		{name: "denied", rcode: dns.RcodeNameError, addr: "10.64.0.1", err: "no address"},
		{name: "refused", rcode: dns.RcodeRefused, err: "no address"},
		{name: "nodata", addr: "10.64.0.1", err: "0 records of " + qname},
		{name: "not blank", answer: []string{right}, err: "want " + qname + " A "},
		{name: "another's", answer: []string{right}, addr: "10.64.0.2", err: "want " + qname + " A 10.64.0.2"},
		{name: "rewritten", answer: []string{"web-0." + right}, addr: "10.64.0.1", err: "want " + qname + " A 10.64.0.1"},
		{name: "too many", answer: []string{right, right}, addr: "10.64.0.1", err: "2 records of " + qname},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := new(dns.Msg)
			r.Rcode = tt.rcode
			for _, text := range tt.answer {
				rr, err := dns.NewRR(text)
				if err != nil {
					t.Fatal(err)
				}
				r.Answer = append(r.Answer, rr)
			}
			if err := has(r, qname, tt.addr); (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}
