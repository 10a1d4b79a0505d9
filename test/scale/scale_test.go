package scale

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// All is measured, in a small cluster and a short time: that the figures are there, not what they are.
func TestScaleShort(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped in -short: it needs a control plane")
	}
	file := filepath.Join(t.TempDir(), "performance", "scale.csv")
	r, err := Run(t.Context(), Options{
		Endpoints: 3_000, Services: 30, Namespaces: 3, BigService: 500, BigNamespace: 300, Starts: 1, Relists: 1,
		Rate: 20, Steady: time.Second, Other: 500 * time.Millisecond, Lookups: 500 * time.Millisecond, CSV: file, Progress: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + r.Markdown())
	for _, row := range r.Rows() {
		if row.Missing != "" {
			t.Errorf("%s: not measured: %s", row.What, row.Missing)
		}
	}
	wantCounts(t, r)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if rows, err := csv.NewReader(f).ReadAll(); err != nil || len(rows) <= len(r.Figures) {
		t.Errorf("%d rows in the file, %v; %d figures", len(rows), err, len(r.Figures))
	}
}

// wantCounts checks what does not depend on the machine.
func wantCounts(t *testing.T, r *Result) {
	t.Helper()
	// Services and EndpointSlices; *headless* asks twice for slices, by label. The idle one asks for nothing.
	for instance, want := range map[string]float64{idle: 0, kubernetes: 2, headless: 3, both: 5} {
		if got, _ := r.value(phaseStart, instance, "lists"); got != want {
			t.Errorf("%s at start: %v lists, want %v", instance, got, want)
		}
		if got, _ := r.value(phaseExpired, instance, "lists"); instance != idle && got < 1 {
			t.Errorf("%s, %s: no list was forced", instance, phaseExpired)
		}
	}
	for _, target := range []string{kubernetes, headless, bothKubernetes, bothHeadless} {
		for _, phase := range []string{phaseChurn, phaseFast, phaseBigService, phaseRoll, phaseBigNamespace} {
			if got, _ := r.value(phase, target, "samples"); got < 1 {
				t.Errorf("%s, %s: no new answer was seen", target, phase)
			}
		}
	}
}
