package cluster

import (
	"syscall"
	"testing"
	"time"
)

// Whatever breaks connections, what is known is answered, and a connection that can be made is made. client-go
// tries some of them again by itself, for ten seconds, before it says that nobody answers.
func TestConnectionsHarmed(t *testing.T) {
	reset := func(c *lineConn, _ []byte) (int, error) {
		c.Close()
		return 0, syscall.ECONNRESET
	}
	refused := func(why error) func(*bed) {
		return func(b *bed) {
			b.refuse(why)
			b.cut()
		}
	}
	garbage := func(_ *lineConn, read []byte) (int, error) {
		read[len(read)/2] ^= 1
		return len(read), nil
	}
	short := func(c *lineConn, read []byte) (int, error) { // behind the TLS handshake, before the first event
		if c.total > 2000 {
			return reset(c, read)
		}
		return len(read), nil
	}
	late := func(_ *lineConn, read []byte) (int, error) {
		time.Sleep(time.Second)
		return len(read), nil
	}
	const lasts = time.Minute
	most := budget(lasts)
	suffer(t,
		trouble{
			name:  "nobody listens",
			begin: refused(syscall.ECONNREFUSED), says: "connection refused", unseen: true,
		}.backsOff(2),
		trouble{
			name:  "no file descriptor left",
			begin: refused(syscall.EMFILE), says: "too many open files", unseen: true,
		}.backsOff(2),
		trouble{
			name:  "serving certificate expired",
			begin: expired, says: "certificate has expired", unseen: true,
		}.backsOff(2),
		trouble{
			name: "every connection reset",
			wire: reset, lasts: lasts, begin: (*bed).cut,
			says: "no answer", unseen: true, stale: true, least: 2, most: most,
		},
		trouble{
			name: "responses garbage",
			wire: garbage, begin: (*bed).cut,
			says: "tls: ", unseen: true,
		}.backsOff(2),
		trouble{
			name: "responses cut after 2 kB",
			wire: short, lasts: lasts, begin: (*bed).cut,
			says: "no answer", unseen: true, stale: true, least: 2, most: most,
		},
		trouble{
			name: "responses slow: each chunk a second late",
			wire: late, begin: (*bed).cut, least: 5, most: 6, lists: -1,
		},
		trouble{
			name:  "connections cut every second",
			begin: func(b *bed) { b.again(b.cut) }, lasts: lasts, flips: true, least: 8, most: most,
		},
	)
}

// A connection that is open and silent is found out by client-go, which pings after 30 s and gives up 15 s later.
func TestSilenceIsNoticed(t *testing.T) {
	suffer(t, trouble{
		name: "connections open and silent",
		wire: func(c *lineConn, _ []byte) (int, error) {
			<-c.closed
			return 0, syscall.ECONNRESET
		},
		begin: func(b *bed) { b.calm = b.cut }, // then they are gone
		stale: true, noticed: 45 * time.Second, says: "no answer", unseen: true, least: 1, most: 10,
	})
}

// A serving certificate is looked at when a connection begins, and only then.
func expired(b *bed) {
	c := b.ca.issue(b.t, -time.Second)
	b.mu.Lock()
	b.serving = c
	b.mu.Unlock()
	b.cut()
}
