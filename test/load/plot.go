package load

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
)

// The picture, in pixels. Its background is its own, so that it reads the same on a dark page.
const (
	width, height            = 860, 470
	left, right, top, bottom = 76, 640, 56, 410 // of the plot; what the lines are stands to its right
)

// style is how each contender's line is drawn, in colours that the colour-blind can tell apart.
var style = map[string]struct{ colour, dash, label string }{
	headless:       {"#0072b2", "", "headless"},
	bySuffix:       {"#56b4e9", "", "headless, suffix"},
	whoami:         {"#4d4d4d", "2 3", "whoami (no look-up)"},
	"hosts":        {"#8a6d00", "6 3", "hosts"},
	kube:           {"#d55e00", "", "kubernetes"},
	kubeNext:       {"#d55e00", "2 3", "kubernetes behind headless"},
	"rewrite":      {"#cc79a7", "", "rewrite + kubernetes"},
	"k8s_external": {"#009e73", "", "k8s_external"},
}

// A point is a median, with the lowest and the highest round.
type point struct {
	size             int
	low, median, top float64
}

// A line is a contender's.
type line struct {
	name   string
	points []point
	label  float64 // where its label stands
}

// plot draws queries a second over UDP without *cache* against the size of the Service.
func (fs figures) plot(sizes []int) []byte {
	var lines []line
	highest := 1.0
	for _, c := range contenders {
		l := line{name: c.name}
		for _, size := range sizes {
			if v := fs.of(UDP, c.name, size).each(qps); len(v) > 0 && !c.once {
				l.points = append(l.points, point{size, slices.Min(v), median(v), slices.Max(v)})
				highest = max(highest, slices.Max(v))
			}
		}
		if len(l.points) > 0 {
			lines = append(lines, l)
		}
	}
	step := 20_000.0
	for highest/step > 8 {
		step *= 2
	}
	most := step * math.Ceil(highest/step)
	a := axes{sizes: sizes, y: func(v float64) float64 { return bottom - v/most*(bottom-top) }}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#333333">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>Queries a second by endpoints of the Service</title>\n<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#f7f7f5\"/>\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="30" font-size="16">Queries a second for the peers of one headless Service, UDP, no cache</text>`+"\n", left)
	a.draw(&b, step, most)
	spread(lines, a)
	for _, l := range lines {
		a.line(&b, l)
	}
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes()
}

// axes say where values stand.
type axes struct {
	sizes []int
	y     func(float64) float64
}

// x is logarithmic; one size alone stands in the middle.
func (a axes) x(size int) float64 {
	first, last := math.Log(float64(a.sizes[0])), math.Log(float64(a.sizes[len(a.sizes)-1]))
	if first == last {
		return (left + right) / 2
	}
	const margin = 14
	return left + margin + (math.Log(float64(size))-first)/(last-first)*(right-left-2*margin)
}

func (a axes) draw(b *bytes.Buffer, step, most float64) {
	for v := 0.0; v <= most; v += step {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#d0d0cc"/>`, left, right, a.y(v), a.y(v))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-8, a.y(v)+4, hundreds(v))
	}
	for _, size := range a.sizes {
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#888888"/>`, a.x(size), a.x(size), bottom, bottom+5)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", a.x(size), bottom+20, grouped(size))
	}
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="#888888"/>`+"\n", left, right, bottom, bottom)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">endpoints of the Service (medians; bars from the lowest round to the highest)</text>`+"\n", (left+right)/2, bottom+44)
}

// spread sets the lines' labels near their ends, in the order of the lines, none over another.
func spread(lines []line, a axes) {
	const apart = 19
	end := func(l line) float64 { return a.y(l.points[len(l.points)-1].median) }
	slices.SortFunc(lines, func(l, m line) int { return cmp.Compare(end(l), end(m)) })
	last := float64(top - apart)
	for i, l := range lines {
		last = max(end(l), last+apart)
		lines[i].label = last
	}
	lowest := float64(bottom)
	for i := len(lines) - 1; i >= 0; i-- {
		lines[i].label = min(lines[i].label, lowest)
		lowest = lines[i].label - apart
	}
}

func (a axes) line(b *bytes.Buffer, l line) {
	s := style[l.name]
	fmt.Fprintf(b, `<g stroke="%s" fill="none" stroke-width="2">`, s.colour)
	fmt.Fprintf(b, `<polyline stroke-dasharray="%s" points="`, cmp.Or(s.dash, "none"))
	for _, p := range l.points {
		fmt.Fprintf(b, "%.1f,%.1f ", a.x(p.size), a.y(p.median))
	}
	b.WriteString(`"/>`)
	for _, p := range l.points {
		fmt.Fprintf(b, `<line stroke-width="1" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, a.x(p.size), a.x(p.size), a.y(p.low), a.y(p.top))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s" stroke="none"/>`, a.x(p.size), a.y(p.median), s.colour)
	}
	last := l.points[len(l.points)-1]
	fmt.Fprintf(b, `<line stroke-width="1" x1="%.1f" x2="%d" y1="%.1f" y2="%.1f"/></g>`, a.x(last.size)+5, right+10, a.y(last.median), l.label)
	fmt.Fprintf(b, `<text x="%d" y="%.1f">%s</text>`+"\n", right+14, l.label+4, s.label)
}
