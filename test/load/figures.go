package load

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// A figure is one run of dnsperf.
type figure struct {
	setting, contender string
	size, round        int
	queries            int // answered, all of them NOERROR
	elapsed            time.Duration
	cpu                time.Duration // of CoreDNS, all its threads
	others             float64       // share of the machine's CPU time that neither CoreDNS nor dnsperf had
}

type figures []figure

func qps(f figure) float64    { return float64(f.queries) / f.elapsed.Seconds() }
func cost(f figure) float64   { return f.cpu.Seconds() * 1e6 / float64(f.queries) } // µs of CPU time a query
func others(f figure) float64 { return f.others }

// of are a contender's figures in a setting at a size, by round.
func (fs figures) of(setting, contender string, size int) (list figures) {
	for _, f := range fs {
		if f.setting == setting && f.contender == contender && f.size == size {
			list = append(list, f)
		}
	}
	return list
}

func (fs figures) each(value func(figure) float64) []float64 {
	list := make([]float64, len(fs))
	for i, f := range fs {
		list[i] = value(f)
	}
	return list
}

// sizes of a setting, ascending.
func (fs figures) sizes(setting string) (list []int) {
	for _, f := range fs {
		if f.setting == setting && !slices.Contains(list, f.size) {
			list = append(list, f.size)
		}
	}
	slices.Sort(list)
	return list
}

// pairs are the ratios of two contenders' values, each from one round: what disturbs a round disturbs both.
func pairs(a, b figures, value func(figure) float64) []float64 {
	var list []float64
	for i := range min(len(a), len(b)) {
		list = append(list, value(a[i])/value(b[i]))
	}
	return list
}

// median is NaN for none.
func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	if n == 0 {
		return math.NaN()
	}
	return (list[(n-1)/2] + list[n/2]) / 2
}

func (fs figures) csv() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "setting,endpoints,contender,round,queries,seconds,queries_per_second,cpu_us_per_query,others_cpu_share")
	for _, f := range fs {
		fmt.Fprintf(&b, "%s,%d,%s,%d,%d,%.3f,%.0f,%.2f,%.3f\n", f.setting, f.size, f.contender, f.round, f.queries, f.elapsed.Seconds(), qps(f), cost(f), f.others)
	}
	return b.Bytes()
}

// tables prints what the figures say, as Markdown.
func (fs figures) tables(w io.Writer, settings []string) {
	fmt.Fprint(w, "\n", legend, "\n")
	for _, name := range slices.Sorted(maps.Keys(explained)) {
		fmt.Fprintf(w, "* `%s`: %s\n", name, explained[name])
	}
	fs.bar(w, settings)
	fs.toll(w, settings)
	for _, setting := range settings {
		fs.table(w, setting)
	}
}

const legend = `Medians over rounds. "Paired" is the median of the ratios within each round, in which the contenders are measured one after the other;
"medians" is the ratio of the medians. CPU is CoreDNS's own, in µs a query. *cache* keeps all names but those that headless-suffix and *whoami* answer.
`

// bar tells how peers' names stand beside *whoami*, which is what they are held against.
func (fs figures) bar(w io.Writer, settings []string) {
	fmt.Fprint(w, "\n### *headless* against *whoami*\n\n",
		"| | endpoints | *headless* q/s | *whoami* q/s | × *whoami*, paired | medians | lowest and highest pair | CPU × *whoami*, paired | × its own q/s at the smallest size |\n",
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, setting := range settings {
		if setting == Cache { // where *whoami* passes it in vain
			continue
		}
		for _, contender := range []string{headless, bySuffix} {
			sizes := fs.sizes(setting)
			for _, size := range sizes {
				a, b, first := fs.of(setting, contender, size), fs.of(setting, whoami, size), fs.of(setting, contender, sizes[0])
				if len(a) == 0 || len(b) == 0 {
					continue
				}
				p := pairs(a, b, qps)
				fmt.Fprintf(w, "| `%s`, %s | %d | %s | %s | **%s** | %s | %s to %s | %s | %s |\n", contender, setting, size,
					hundreds(median(a.each(qps))), hundreds(median(b.each(qps))), ratio(median(p)), ratio(median(a.each(qps))/median(b.each(qps))),
					ratio(slices.Min(p)), ratio(slices.Max(p)), ratio(median(pairs(a, b, cost))), ratio(median(a.each(qps))/median(first.each(qps))))
			}
		}
	}
}

// toll tells what *headless* costs queries that are not its own.
func (fs figures) toll(w io.Writer, settings []string) {
	fmt.Fprint(w, "\n### Queries that *headless* hands on\n\n",
		"| answered by | endpoints | without *headless* q/s | with it q/s | paired | medians | CPU without | CPU with | paired |\n",
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, setting := range settings {
		for _, two := range [][2]string{{kubeNext, kube}, {whoNext, elsewhere}} {
			for _, size := range fs.sizes(setting) {
				a, b := fs.of(setting, two[0], size), fs.of(setting, two[1], size)
				if len(a) == 0 || len(b) == 0 {
					continue
				}
				fmt.Fprintf(w, "| `%s`, %s | %d | %s | %s | **%s** | %s | %.1f | %.1f | %s |\n", two[1], setting, size,
					hundreds(median(b.each(qps))), hundreds(median(a.each(qps))), ratio(median(pairs(a, b, qps))), ratio(median(a.each(qps))/median(b.each(qps))),
					median(b.each(cost)), median(a.each(cost)), ratio(median(pairs(a, b, cost))))
			}
		}
	}
}

// table has all contenders of a setting.
func (fs figures) table(w io.Writer, setting string) {
	fmt.Fprintf(w, "\n### All, %s\n\n| endpoints | contender | q/s | × *whoami*, paired | medians | × *kubernetes*, paired | medians | CPU | × *whoami*, paired | × *kubernetes*, paired |\n", setting)
	fmt.Fprintln(w, "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, size := range fs.sizes(setting) {
		who, k := fs.of(setting, whoami, size), fs.of(setting, kube, size)
		for _, c := range contenders {
			a := fs.of(setting, c.name, size)
			if len(a) == 0 {
				continue
			}
			q := median(a.each(qps))
			fmt.Fprintf(w, "| %d | `%s` | %s | %s | %s | %s | %s | %.1f | %s | %s |\n", size, c.name, hundreds(q),
				ratio(median(pairs(a, who, qps))), ratio(q/median(who.each(qps))), ratio(median(pairs(a, k, qps))), ratio(q/median(k.each(qps))),
				median(a.each(cost)), ratio(median(pairs(a, who, cost))), ratio(median(pairs(a, k, cost))))
		}
	}
}

// ratio prints nothing where there is nothing to compare with.
func ratio(r float64) string {
	if math.IsNaN(r) {
		return ""
	}
	return fmt.Sprintf("%.3f", r)
}

// hundreds rounds to what is repeatable at best: 117,000.
func hundreds(v float64) string { return grouped(int(v/100+0.5) * 100) }

func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
