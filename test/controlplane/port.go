package controlplane

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports come from blocks, each of which belongs to one process at a time: packages are tested side by side, and a
// port that one has chosen and not yet listened on must not be chosen by another. All blocks are below the ports that
// the kernel gives to connections.
const (
	firstPort, lastPort = 10000, 32768
	blockSize           = 500
)

// block is the block of this process that ports are taken from.
var block struct {
	sync.Mutex
	next, end int
	lock      []*os.File // held until the process ends
}

// FreePort is a TCP and UDP port of 127.0.0.1 that nobody listens on. No port is given twice: who got it first may
// not listen yet.
func FreePort() (string, error) {
	block.Lock()
	defer block.Unlock()
	for {
		if block.next == block.end {
			if err := nextBlock(); err != nil {
				return "", err
			}
		}
		port := strconv.Itoa(block.next)
		block.next++
		if isFree("127.0.0.1:" + port) {
			return port, nil
		}
	}
}

// isFree reports whether nobody listens on an address. No program is started meanwhile: until it runs, a new process
// has a copy of the sockets that are open, and the port would stay taken for that long.
func isFree(address string) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return u.Close() == nil
}

// nextBlock takes a block that no other process has, by a lock that ends with this process. The caller holds the
// mutex.
func nextBlock() error {
	for first := firstPort; first+blockSize <= lastPort; first += blockSize {
		f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("headless-ports-%d", first)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			continue // another user's
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			f.Close()
			continue
		}
		block.lock = append(block.lock, f)
		block.next, block.end = first, first+blockSize
		return nil
	}
	return errors.New("all blocks of ports are taken: too many tests at once")
}
