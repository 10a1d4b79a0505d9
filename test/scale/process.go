package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// peak is a process's highest resident memory in bytes since its start or resetPeak.
func peak(pid int) (int64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	status, err := p.NewStatus()
	return int64(status.VmHWM), err // #nosec G115 -- of a machine's memory
}

// resetPeak makes the peak what is resident now; proc(5), clear_refs.
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// cpu is the processor time that a process has used.
func cpu(pid int) (time.Duration, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	stat, err := p.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// heap is what is allocated after garbage collection, as the plugin pprof at address says: two, since what is in a
// sync.Pool outlives the first.
func heap(ctx context.Context, address string) (bytes int64, err error) {
	var text string
	for range 3 {
		if text, err = get(ctx, "http://"+address+"/debug/pprof/heap?gc=1&debug=1"); err != nil {
			return 0, err
		}
	}
	_, rest, ok := strings.Cut(text, "\n# HeapAlloc = ")
	line, _, _ := strings.Cut(rest, "\n")
	if !ok {
		return 0, errors.New("no HeapAlloc in the heap profile")
	}
	return strconv.ParseInt(line, 10, 64)
}

// saveProfile keeps a heap profile for `go tool pprof`.
func saveProfile(ctx context.Context, address, dir, name string) error {
	text, err := get(ctx, "http://"+address+"/debug/pprof/heap?gc=1")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".heap.pb.gz"), []byte(text), 0o600)
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), errors.Join(err, resp.Body.Close())
}
