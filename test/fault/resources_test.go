package fault

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// With no file descriptor left CoreDNS cannot connect to the API server again. What it knows is answered, and it connects when it can.
func TestFileDescriptorsShort(t *testing.T) {
	r, x := throughProxy(t)
	r.filesShort = true
	r.Fault(t, "no file descriptor left", func() {
		allow := r.noFiles(t)
		x.Cut(t)
		r.Move(t)
		time.Sleep(lasts(5 * time.Second)) // the fault's length
		// Nobody can connect to CoreDNS over TCP now.
		if conn, err := net.DialTimeout("tcp", r.Address(), time.Second); err == nil {
			conn.Close()
		}
		r.lacksFiles(t)
		allow()
	})
	if n := count(r.Server.Log(t), noFile); n > 10 {
		t.Errorf("the log tells %d times of too many open files, want 10 at most", n)
	}
}

const noFile = "too many open files"

// lacksFiles waits until the log tells that there is no file descriptor left.
func (r *Rig) lacksFiles(t *testing.T) {
	t.Helper()
	r.Server.Poll(t, time.Minute, func() error {
		if count(r.Server.Log(t), noFile) == 0 {
			return errors.New("the log does not tell of too many open files")
		}
		return nil
	})
}

// noFiles lets CoreDNS open no file or connection, until allow is called.
func (r *Rig) noFiles(t *testing.T) (allow func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Prlimit(r.Server.PID(), unix.RLIMIT_NOFILE, nil, &was); err != nil {
		t.Fatal(err)
	}
	none := was
	none.Cur = 3
	if err := unix.Prlimit(r.Server.PID(), unix.RLIMIT_NOFILE, &none, nil); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Prlimit(r.Server.PID(), unix.RLIMIT_NOFILE, &was, nil); err != nil {
			t.Error(err)
		}
	}
}

// With less memory than it would like (GOMEMLIMIT far below what is in use) CoreDNS collects garbage all the time. Twice it has to list again
// meanwhile.
func TestMemoryShort(t *testing.T) {
	x := NewProxy(t, cluster.Address)
	r := Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, x.Address()), Env: []string{"GOMEMLIMIT=16MiB"}})
	before := lists(t)
	r.Fault(t, "GOMEMLIMIT below what is in use", func() {
		begun := time.Now()
		for range 2 {
			speak := x.Harm(t, "timeout", map[string]int{"timeout": 0})
			r.Move(t)     // unseen,
			restart(t, 0) // and then too old for a watch to go on from the version before it
			speak()
			x.Cut(t)
			r.Fresh(t, time.Minute)
		}
		r.stood = append(r.stood, time.Since(begun)) // on a busy machine it does little else
	})
	if n := lists(t) - before; n < 2 {
		t.Errorf("%d lists, want 2 at least", n)
	}
}
