package controlplane

import (
	"net"
	"os/exec"
	"sync"
	"testing"
)

// A process that is being started has all sockets of its parent until it runs its program: a port whose probing sockets it still has
// is not free.
func TestFreePortIsFreeWhileProcessesStart(t *testing.T) {
	if err := exec.Command("true").Run(); err != nil { // before the first process Go clones itself, once, without its lock
		t.Fatal(err)
	}
	var starters sync.WaitGroup
	defer starters.Wait()
	done := make(chan struct{})
	defer close(done)
	for range 4 {
		starters.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 1000 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
