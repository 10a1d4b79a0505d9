package load

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// As in the figures that the project began with: 4 sockets, 100 queries under way at a time.
const (
	clients     = "4"
	outstanding = "100"
)

const tries = 3

// errNone is what comes of a run on a machine that is too busy.
var errNone = errors.New("no query was answered")

// measure has dnsperf ask one contender. A run that lost a query waited for it, and is no measure, nor is one that
// lost all: it is done again.
func (m *measuring) measure(ctx context.Context, s *coreDNS, c contender, size int) (f figure, err error) {
	for range tries {
		var p perf
		f, p, err = m.try(ctx, s, c, size)
		switch {
		case errors.Is(err, errNone):
		case err != nil || p.lost == 0:
			return f, err
		default:
			err = fmt.Errorf("dnsperf lost %d queries of %d", p.lost, p.sent)
		}
		fmt.Fprintf(m.Progress, "%s: %s, %d endpoints: %s\n", s.setting, c.name, size, err)
	}
	return f, err
}

func (m *measuring) try(ctx context.Context, s *coreDNS, c contender, size int) (f figure, p perf, err error) {
	mode := "udp"
	if s.setting == TCP || s.setting == DoT {
		mode = s.setting
	}
	limit := []string{"-n", "1"} // times that each name is asked for
	if m.Duration > 0 {
		limit = []string{"-l", strconv.FormatFloat(m.Duration.Seconds(), 'f', 3, 64)}
	}
	patience := strconv.Itoa(int(m.Patience.Seconds()))
	cmd := exec.CommandContext(ctx, "dnsperf", append(limit, "-m", mode, "-s", "127.0.0.1", "-p", s.ports[c.name],
		"-d", m.queries(c, size), "-c", clients, "-q", outstanding, "-t", patience)...)
	cmd.WaitDelay = time.Second
	before, err := spentBy(s.process.PID())
	if err != nil {
		return f, p, err
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return f, p, ctx.Err()
	}
	if err != nil {
		return f, p, errors.Join(fmt.Errorf("dnsperf: %w", err), s.process.Exited(), errors.New(tail(string(out))))
	}
	after, err := spentBy(s.process.PID())
	if err != nil {
		return f, p, errors.Join(err, s.process.Exited())
	}
	if p, err = parse(string(out)); err != nil {
		return f, p, fmt.Errorf("%w; dnsperf said %s", err, tail(string(out)))
	}
	f = figure{contender: c.name, size: size, queries: p.completed, elapsed: p.elapsed, cpu: after.process - before.process}
	own := f.cpu + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	f.others = max(0, float64(after.all-before.all-own)/float64(after.available-before.available))
	return f, p, nil
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// perf is what dnsperf found.
type perf struct {
	sent, completed, lost int
	elapsed               time.Duration
}

var (
	statistic = regexp.MustCompile(`(?m)^\s*(Queries sent|Queries completed|Queries lost|Run time \(s\)|Response codes):[ \t]*([^ \n]*)(.*)$`)
	allRight  = regexp.MustCompile(`^NOERROR (\d+) \(100\.00%\)$`)
)

// parse reads dnsperf's statistics. Any rcode but NOERROR is an error: a figure of wrong answers is worth nothing.
func parse(out string) (p perf, err error) {
	found := make(map[string]string)
	for _, s := range statistic.FindAllStringSubmatch(out, -1) {
		found[s[1]] = s[2]
		if s[1] == "Response codes" {
			found[s[1]] = strings.TrimSpace(s[2] + s[3])
		}
	}
	var errs [4]error
	p.sent, errs[0] = strconv.Atoi(found["Queries sent"])
	p.completed, errs[1] = strconv.Atoi(found["Queries completed"])
	p.lost, errs[2] = strconv.Atoi(found["Queries lost"])
	seconds, err := strconv.ParseFloat(found["Run time (s)"], 64)
	errs[3] = err
	p.elapsed = time.Duration(seconds * float64(time.Second))
	if err := errors.Join(errs[:]...); err != nil {
		return p, err
	}
	codes := allRight.FindStringSubmatch(found["Response codes"])
	switch {
	case p.completed == 0 || p.elapsed == 0:
		return p, errNone
	case codes == nil || codes[1] != strconv.Itoa(p.completed):
		return p, fmt.Errorf("not all of %d replies are NOERROR: %s", p.completed, found["Response codes"])
	}
	return p, nil
}
