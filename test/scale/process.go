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
)

// peak is a process's highest resident memory in bytes since its start or resetPeak.
func peak(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM in /proc/PID/status")
}

// resetPeak makes the peak what is resident now; proc(5), clear_refs.
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// cpu is the processor time that a process has used; proc(5), stat.
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text), ") ") // the program's name may hold anything
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, errors.New("unknown form of /proc/PID/stat")
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	system, serr := strconv.ParseInt(f[12], 10, 64)
	const tick = time.Second / 100 // USER_HZ, on every architecture that Go runs on
	return time.Duration(user+system) * tick, errors.Join(err, serr)
}

// heap is what is allocated after garbage collection, as the plugin pprof at address says: two, since what is in a sync.Pool
// outlives the first.
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
