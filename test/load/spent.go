package load

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc on every Linux that Go runs on: USER_HZ is 100.
const tick = 10 * time.Millisecond

// spent is CPU time up to a moment.
type spent struct {
	process time.Duration // of one process
	all     time.Duration // of all processes, and what a hypervisor took; without interrupts, which are part of every query
	// available is all that there was.
	available time.Duration
}

func spentBy(pid int) (s spent, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, err
	}
	// Behind the program's name, which ends with the last ')', utime and stime are fields 12 and 13 (proc(5): 14 and 15).
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return s, fmt.Errorf("/proc/%d/stat is %q", pid, text)
	}
	if s.process, err = ticks(fields[11:13]); err != nil {
		return s, err
	}
	if text, err = os.ReadFile("/proc/stat"); err != nil {
		return s, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields = strings.Fields(line) // cpu user nice system idle iowait irq softirq steal guest guest_nice; user has guest in it
	if len(fields) < 9 {
		return s, fmt.Errorf("/proc/stat begins with %q", line)
	}
	s.all, err = ticks([]string{fields[1], fields[2], fields[3], fields[8]})
	var errAvailable error
	s.available, errAvailable = ticks(fields[1:9])
	return s, errors.Join(err, errAvailable)
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
