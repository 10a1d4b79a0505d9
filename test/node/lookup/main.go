// Command lookup-go resolves names as Go does, without cgo, and runs in pods of the tests. With one name it prints its addresses;
// with several it resolves them for ever, and prints a line a try: when it began in nanoseconds, the name, and its addresses.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 2 {
		addrs, err := resolve(os.Args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(strings.Join(addrs, "\n"))
		return
	}
	for ; ; time.Sleep(100 * time.Millisecond) {
		for _, name := range os.Args[1:] {
			asked := time.Now()
			addrs, _ := resolve(name) // no address is what a failure shows as
			fmt.Println(asked.UnixNano(), name, strings.Join(addrs, " "))
		}
	}
}

func resolve(name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return net.DefaultResolver.LookupHost(ctx, name)
}
