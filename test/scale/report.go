package scale

import (
	"fmt"
	"math"
	"strings"
)

// A Row sets what was measured beside what the design allows.
type Row struct {
	What                       string
	Kubernetes, Headless, Both string
	Ratio                      float64
	Bar                        string
	// Met is "yes" or "no", and empty where there is no bar.
	Met string
	// Missing names a figure that was not taken; then the row says nothing.
	Missing string
}

// sheet makes rows of a Result.
type sheet struct {
	r       *Result
	rows    []Row
	missing string
}

func (s *sheet) of(phase, instance, name string) float64 {
	v, ok := s.r.value(phase, instance, name)
	if !ok && s.missing == "" {
		s.missing = strings.Join([]string{phase, instance, name}, ", ")
	}
	return v
}

// each is a figure each time that it was taken.
func (s *sheet) each(phase, instance, name string) string {
	f := s.r.figure(phase, instance, name)
	if f == nil {
		s.of(phase, instance, name)
		return ""
	}
	texts := make([]string, len(f.Values))
	for i, v := range f.Values {
		texts[i] = fmt.Sprintf("%g", v)
	}
	return strings.Join(texts, ", ")
}

// over is a figure less the idle instance's.
func (s *sheet) over(phase, instance, name string) float64 {
	return s.of(phase, instance, name) - s.of(phase, idle, name)
}

// add completes a row; most is what the ratio may be at most, slack what the difference may be for all that, 0 for no
// bar.
func (s *sheet) add(row Row, one, other, most, slack float64) {
	row.Ratio = one / other
	if most > 0 {
		row.Bar = fmt.Sprintf("≤ %g", most)
		row.Met = "no"
		if row.Ratio <= most || slack > 0 && one-other <= slack {
			row.Met = "yes"
		}
		if slack > 0 {
			row.Bar += fmt.Sprintf(", or within %g ms", slack)
		}
	}
	row.Missing, s.missing = s.missing, ""
	s.rows = append(s.rows, row)
}

// Rows are those of the design that are measured here, and what helps to read them.
func (r *Result) Rows() []Row {
	s := &sheet{r: r}
	s.memory()
	s.start()
	s.latency()
	s.cost()
	s.lookups()
	return s.rows
}

func (s *sheet) memory() {
	n := float64(s.r.options.Endpoints)
	k, h, b := s.over(phaseStart, kubernetes, "heap"), s.over(phaseStart, headless, "heap"), s.over(phaseStart, both, "heap")
	per := func(mb float64) string { return fmt.Sprintf("%.0f B", mb*1e6/n) }
	s.add(Row{What: "heap per endpoint, over an idle CoreDNS: headless to kubernetes", Kubernetes: per(k), Headless: per(h), Both: per(b)}, h, k, 0.4, 0)
	s.add(Row{What: "heap over an idle CoreDNS: both to kubernetes", Kubernetes: unit(k, "MB"), Headless: unit(h, "MB"), Both: unit(b, "MB")}, b, k, 1.5, 0)
	s.threeWay("resident peak from start: both to kubernetes", phaseStart, "resident peak", "MB", both, 1.5, 0)
	for _, phase := range []string{phaseExpired, phaseRestart} {
		if s.skipped(phase) {
			continue
		}
		most := 1.5
		if lists, _ := s.r.value(phase, both, "lists"); phase == phaseRestart && lists == 0 {
			most = 0 // all went on where they had been: no re-list to measure
		}
		s.threeWay("resident peak, "+phase+": both to kubernetes", phase, "resident peak", "MB", both, most, 0)
		lists := func(i string) string { return s.each(phase, i, "lists") }
		s.add(Row{What: "lists that this forced, each time", Kubernetes: lists(kubernetes), Headless: lists(headless), Both: lists(both)}, math.NaN(), 1, 0, 0)
		s.threeWay("received then", phase, "received", "MB", both, 0, 0)
	}
}

func (s *sheet) start() {
	s.threeWay("from process start to the first right answer: headless to kubernetes", phaseStart, "synced", "ms", headless, 1.1, 50)
	s.threeWay("the same: both to kubernetes", phaseStart, "synced", "ms", both, 0, 0)
	s.threeWay("processor time until then: both to kubernetes", phaseStart, "processor time", "ms", both, 0, 0)
	s.threeWay("received from the API server at start: both to kubernetes", phaseStart, "received", "MB", both, 0, 0)
}

// threeWay is a row of a figure of each instance, comparing one of them with *kubernetes*.
func (s *sheet) threeWay(what, phase, name, u, one string, most, slack float64) {
	k, h, b := s.of(phase, kubernetes, name), s.of(phase, headless, name), s.of(phase, both, name)
	row := Row{What: what, Kubernetes: unit(k, u), Headless: unit(h, u), Both: unit(b, u)}
	s.add(row, s.of(phase, one, name), k, most, slack)
}

func (s *sheet) latency() {
	for _, phase := range []string{phaseChurn, phaseFast, phaseBigService, phaseRoll, phaseBigNamespace} {
		if s.skipped(phase) {
			continue
		}
		text := func(target string) string {
			return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", s.of(phase, target, "p50"), s.of(phase, target, "p99"))
		}
		s.add(Row{What: "from a change to the answer, " + s.title(phase) + ": p99, headless to kubernetes", Kubernetes: text(kubernetes), Headless: text(headless)},
			s.of(phase, headless, "p99"), s.of(phase, kubernetes, "p99"), 1.1, 20)
		s.add(Row{What: "the same in one CoreDNS", Kubernetes: text(bothKubernetes), Headless: text(bothHeadless)},
			s.of(phase, bothHeadless, "p99"), s.of(phase, bothKubernetes, "p99"), 1.1, 20)
		later := func(target string) string {
			const name = "later than kubernetes, "
			return fmt.Sprintf("p50 %+.1f ms, p99 %+.1f ms", s.of(phase, target, name+"p50"), s.of(phase, target, name+"p99"))
		}
		s.add(Row{What: "the same change, later than kubernetes", Headless: later(headless), Both: later(bothHeadless)}, math.NaN(), 1, 0, 0)
	}
}

// costSlack is how much dearer a change may seem where more is beside it, and still be in proportion to itself:
// garbage collection, and the clock's ticks.
const costSlack = 1.5

func (s *sheet) cost() {
	for _, phase := range []string{phaseChurn, phaseFast, phaseBigService, phaseRoll, phaseBigNamespace} {
		if s.skipped(phase) {
			continue
		}
		text := func(i string) string {
			return fmt.Sprintf("%.2f %%, %.0f µs a change", s.of(phase, i, "processor"), s.over(phase, i, "processor time per change"))
		}
		k, h := s.over(phase, kubernetes, "processor time per change"), s.over(phase, headless, "processor time per change")
		s.add(Row{What: "processor, " + s.title(phase) + ": headless to kubernetes", Kubernetes: text(kubernetes), Headless: text(headless), Both: text(both)}, h, k, 0, 0)
	}
	for _, phase := range []string{phaseBigService, phaseBigNamespace} {
		if s.skipped(phase) || s.skipped(phaseChurn) {
			continue
		}
		h, ordinary := s.over(phase, headless, "processor time per change"), s.over(phaseChurn, headless, "processor time per change")
		s.add(Row{What: "processor time of a change, " + s.title(phase) + ": headless to what it is elsewhere", Headless: unit(h, "µs")}, h, ordinary, costSlack, 0)
	}
}

// lookups has no bar: on a machine where the API server, the changes and the clients share the processors, *whoami*'s
// are late too. It is what the others are to be compared with.
func (s *sheet) lookups() {
	if s.r.options.Lookups == 0 {
		return
	}
	for _, t := range []string{idle, kubernetes, headless, bothHeadless} {
		rest, full := s.of(phaseRest, t, "p99"), s.of(phaseFull, t, "p99")
		row := Row{What: fmt.Sprintf("p99 of a look-up at %.0f changes a second, to that at rest", s.of(phaseFull, "", "changes a second"))}
		text := fmt.Sprintf("%.2f ms, %.2f ms", full, rest)
		switch t {
		case kubernetes:
			row.Kubernetes = text
		case headless:
			row.Headless = text
		case bothHeadless:
			row.What, row.Both = row.What+": headless", text
		default:
			row.What += ": whoami, " + text
		}
		s.add(row, full, rest, 0, 0)
	}
	h, w := s.of(phaseFull, headless, "p99"), s.of(phaseFull, idle, "p99")
	s.add(Row{What: "the p99 meanwhile: headless to whoami", Headless: fmt.Sprintf("%.2f ms", h)}, h, w, 0, 0)
}

func (s *sheet) title(phase string) string {
	o := s.r.options
	switch phase {
	case phaseChurn:
		return fmt.Sprintf("%d a second", o.Rate)
	case phaseFast:
		return fmt.Sprintf("%.0f a second", s.of(phase, "", "changes a second"))
	case phaseBigService:
		return fmt.Sprintf("in a Service of %d", o.BigService)
	case phaseRoll:
		return fmt.Sprintf("all %d slices of a Service of %d rewritten at once", o.BigService/perSlice, o.BigService)
	case phaseBigNamespace:
		return fmt.Sprintf("in a namespace of %d pods", o.BigNamespace)
	}
	return phase
}

func (s *sheet) skipped(phase string) bool {
	o := s.r.options
	switch phase {
	case phaseExpired:
		return o.Relists < 1
	case phaseRestart:
		return o.Relists < 2
	case phaseChurn:
		return o.Steady == 0
	case phaseFast:
		return o.Other == 0
	case phaseBigService, phaseRoll:
		return o.BigService == 0
	case phaseBigNamespace:
		return o.BigNamespace == 0
	}
	return false
}

func unit(v float64, u string) string {
	switch u {
	case "ms", "µs":
		return fmt.Sprintf("%.0f %s", v, u)
	}
	return fmt.Sprintf("%.1f %s", v, u)
}

// Markdown is the table of all rows.
func (r *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d endpoints, %d headless Services, %d namespaces\n\n", r.options.Endpoints, r.options.Services, r.options.Namespaces)
	b.WriteString("| what | kubernetes | headless | both | ratio | bar | met |\n|---|---|---|---|---|---|---|\n")
	for _, row := range r.Rows() {
		ratio := fmt.Sprintf("%.2f", row.Ratio)
		if math.IsNaN(row.Ratio) || math.IsInf(row.Ratio, 0) {
			ratio = ""
		}
		if row.Missing != "" {
			row.What += " (not measured: " + row.Missing + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", row.What, row.Kubernetes, row.Headless, row.Both, ratio, row.Bar, row.Met)
	}
	return b.String()
}
