package fault

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

var table = flag.String("table", "", "file that gets a table of what clients saw of each fault (docs/reliability.md has it)")

var rows struct {
	mu   sync.Mutex
	list []Row
}

func record(r Row) {
	rows.mu.Lock()
	defer rows.mu.Unlock()
	rows.list = append(rows.list, r)
}

// WriteTable writes what was recorded where the flag says, if it does.
func WriteTable() error {
	if *table == "" {
		return nil
	}
	rows.mu.Lock()
	defer rows.mu.Unlock()
	slices.SortStableFunc(rows.list, func(a, b Row) int { return strings.Compare(a.Fault, b.Fault) })
	var b strings.Builder
	b.WriteString("| fault | queries | wrong | SERVFAIL | lost | fresh after |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows.list {
		sum := r.Total()
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %s |\n", r.Fault, sum.Asked, sum.Wrong, sum.Servfail, sum.Lost, r.Fresh.Round(time.Millisecond))
	}
	return os.WriteFile(*table, []byte(b.String()), 0o600)
}
