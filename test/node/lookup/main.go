// Command lookup-go resolves names as Go does, without cgo, and runs in pods of the tests. With one name it prints its
// addresses; with several it resolves them for ever, and prints a line a try: the name, and its addresses, or "lost"
// where nobody answered.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 2 {
		addrs, err := net.DefaultResolver.LookupHost(context.Background(), os.Args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(strings.Join(addrs, "\n"))
		return
	}
	strict := net.Resolver{PreferGo: true, StrictErrors: true} // ends the search list where nobody answered
	for ; ; time.Sleep(100 * time.Millisecond) {
		for _, name := range os.Args[1:] {
			addrs, err := strict.LookupHost(context.Background(), name)
			if e, ok := errors.AsType[*net.DNSError](err); ok && !e.IsNotFound {
				addrs = []string{"lost"}
			}
			fmt.Println(name, strings.Join(addrs, " "))
		}
	}
}
