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

	"github.com/coredns-headless/headless/test/server"
)

// TestLoadShort runs what `make load` does, once for each name. It looks for answers, never for their speed: that is
// the business of a machine that does nothing else.
func TestLoadShort(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in -short: it needs a control plane")
	}
	server.Need(t, "dnsperf", "dnsperf")
	var tables, progress bytes.Buffer
	o := Options{
		Settings: []string{UDP, TCP}, Sizes: []int{1, 100}, Rounds: 1,
		RecordSizes: []int{100}, RecordRounds: 1, Patience: time.Minute,
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
