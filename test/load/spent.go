package load

import (
	"errors"
	"time"

	"github.com/prometheus/procfs"
)

// spent is CPU time up to a moment.
type spent struct {
	process time.Duration // of one process
	// all is that of all processes, and what a hypervisor took; without interrupts, which are part of every query.
	all time.Duration
	// available is all that there was.
	available time.Duration
}

func spentBy(pid int) (s spent, err error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return s, err
	}
	own, err := p.Stat()
	fs, ferr := procfs.NewDefaultFS()
	if err := errors.Join(err, ferr); err != nil {
		return s, err
	}
	machine, err := fs.Stat()
	c := machine.CPUTotal // User has Guest in it
	all := c.User + c.Nice + c.System + c.Steal
	available := all + c.Idle + c.Iowait + c.IRQ + c.SoftIRQ
	return spent{process: seconds(own.CPUTime()), all: seconds(all), available: seconds(available)}, err
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
