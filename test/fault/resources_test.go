package fault

import (
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// With no file descriptor left CoreDNS cannot connect to the API server again. What it knows is answered, and it connects when it can.
func TestFileDescriptorsShort(t *testing.T) {
	r, x := throughProxy(t)
	r.Fault(t, "no file descriptor left", func() {
		var was unix.Rlimit
		if err := unix.Prlimit(r.Server.PID(), unix.RLIMIT_NOFILE, nil, &was); err != nil {
			t.Fatal(err)
		}
		none := was
		none.Cur = 3
		if err := unix.Prlimit(r.Server.PID(), unix.RLIMIT_NOFILE, &none, nil); err != nil {
			t.Fatal(err)
		}
		x.Cut(t)
		r.Move(t)
		time.Sleep(lasts(5 * time.Second)) // the fault's length
		// Nobody can connect to CoreDNS over TCP now.
		if conn, err := net.DialTimeout("tcp", r.Address(), time.Second); err == nil {
			conn.Close()
		}
		if err := unix.Prlimit(r.Server.PID(), unix.RLIMIT_NOFILE, &was, nil); err != nil {
			t.Fatal(err)
		}
	})
	if n := count(r.Server.Log(t), "too many open files"); n == 0 || n > 10 {
		t.Errorf("the log tells %d times of too many open files, want 1 to 10", n)
	}
}

// With less memory than it would like (GOMEMLIMIT far below what is in use) CoreDNS collects garbage all the time. It lists everything
// again meanwhile, twice.
func TestMemoryShort(t *testing.T) {
	x := NewProxy(t, cluster.Address)
	t.Setenv("GOMEMLIMIT", strconv.Itoa(16<<20))
	r := Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, x.Address())})
	r.Fault(t, "GOMEMLIMIT below what is in use", func() {
		for range 2 {
			restart(t, 0) // its watch cache is gone, and with it the old versions
			x.Cut(t)
			r.Move(t)
			r.Fresh(t, time.Minute)
		}
	})
}
