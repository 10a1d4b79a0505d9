package scale

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
)

// What is done while figures are taken.
const (
	phaseStart        = "start"
	phaseRestart      = "API server restarted"
	phaseExpired      = "resourceVersion expired"
	phaseChurn        = "changes"
	phaseFast         = "10 times the changes"
	phaseBigService   = "changes in a big Service"
	phaseRoll         = "a big Service rolled"
	phaseBigNamespace = "changes in a big namespace"
	phaseRest         = "look-ups at rest"
	phaseFull         = "look-ups, as many changes as can be"
)

// Figure is what was measured in a phase of an instance, or of a plugin of one: the median where it was measured
// several times.
type Figure struct {
	Phase, Instance, Name, Unit string
	Values                      []float64
}

// Result is all that was measured, in the order of measuring.
type Result struct {
	Figures []*Figure
	options Options
}

func (r *Result) add(phase, instance, name, unit string, v float64) {
	if f := r.figure(phase, instance, name); f != nil {
		f.Values = append(f.Values, v)
		return
	}
	r.Figures = append(r.Figures, &Figure{Phase: phase, Instance: instance, Name: name, Unit: unit, Values: []float64{v}})
}

// Value is the median of a figure's values.
func (f *Figure) Value() float64 {
	sorted := slices.Sorted(slices.Values(f.Values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// figure is nil where none was taken.
func (r *Result) figure(phase, instance, name string) *Figure {
	for _, f := range r.Figures {
		if f.Phase == phase && f.Instance == instance && f.Name == name {
			return f
		}
	}
	return nil
}

func (r *Result) value(phase, instance, name string) (float64, bool) {
	if f := r.figure(phase, instance, name); f != nil {
		return f.Value(), true
	}
	return 0, false
}

// write writes all figures to a file, "" for none.
func (r *Result) write(file string) error {
	if file == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }
	rows := [][]string{{"phase", "instance", "figure", "unit", "median", "least", "most", "times"}}
	for _, c := range []struct {
		name string
		n    int
	}{{"processors", runtime.NumCPU()}, {"endpoints", r.options.Endpoints}, {"Services", r.options.Services}, {"namespaces", r.options.Namespaces}} {
		rows = append(rows, []string{"cluster", "", c.name, "", strconv.Itoa(c.n), "", "", ""})
	}
	for _, f := range r.Figures {
		rows = append(rows, []string{f.Phase, f.Instance, f.Name, f.Unit, number(f.Value()), number(slices.Min(f.Values)), number(slices.Max(f.Values)), strconv.Itoa(len(f.Values))})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return f.Close()
}
