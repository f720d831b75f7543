package imap

import (
	"net"
	"testing"
	"time"
)

// What waits when the server stops is ended by that, also when the client has said something at the same moment: it is no failed command.
func TestShutdownMeetsInput(t *testing.T) {
	t.Parallel()
	for range 30 {
		ts := newTestServer(t, func(o *Options) { logTo(o) })
		client, server := net.Pipe()
		s := newSession(ts.srv, server)
		wake := make(chan struct{}, 1)
		wake <- struct{}{}
		err := s.await(wake, func() error {
			ts.srv.cancel()
			if _, err := client.Write([]byte("DONE\r\n")); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond) // both are there to choose from
			return nil
		})
		if err != nil && !s.isConnError(err) {
			t.Fatalf("%v is taken for the end of a command", err)
		}
		client.Close()
		s.close()
	}
}
