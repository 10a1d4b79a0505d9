package load

import (
	"errors"
	"time"

	"github.com/prometheus/procfs"
)

// spent is CPU time up to a moment.
type spent struct {
	process time.Duration // of one process
	all     time.Duration // of all processes, and what a hypervisor took; without interrupts, which are part of every query
	// available is all that there was.
	available time.Duration
}

func spentBy(pid int) (spent, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return spent{}, err
	}
	p, err := fs.Proc(pid)
	if err != nil {
		return spent{}, err
	}
	own, err := p.Stat()
	all, err2 := fs.Stat()
	c := all.CPUTotal // User has Guest in it
	busy := c.User + c.Nice + c.System + c.Steal
	available := busy + c.Idle + c.Iowait + c.IRQ + c.SoftIRQ
	s := spent{process: seconds(own.CPUTime()), all: seconds(busy), available: seconds(available)}
	return s, errors.Join(err, err2)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
