package imap

import (
	"fmt"
	"iter"
	"slices"

	goimap "github.com/emersion/go-imap/v2"
)

// MESSAGELIMIT and SAVELIMIT (RFC 9738): how many messages a command may be about. What can be done in part is done for the messages with the
// highest UIDs, from the highest to the lowest (§3.1), and a response code names the lowest of them; what is all or nothing, COPY, MULTIAPPEND, SORT and THREAD, is refused. EXPUNGE,
// CLOSE and STATUS have no limit, because there would be no way to say what is left to do. SAVELIMIT is for COPY and MULTIAPPEND alone.

// messageLimit is how many messages a command may be about, 0: as many as there are. For whom the capability is turned off there is no limit.
func (s *session) messageLimit() int {
	if !s.has("MESSAGELIMIT") {
		return 0
	}
	return s.srv.opt.Limits.Messages
}

// saveLimit is the same of messages that a command may store.
func (s *session) saveLimit() int {
	if s.has("SAVELIMIT") {
		return s.srv.opt.Limits.Saved
	}
	return s.messageLimit()
}

// limited returns those of the messages, ascending, that the command is about: not more than the limit, the last ones.
func (s *session) limited(c *command, uids []uint32) []uint32 {
	n := s.messageLimit()
	if n == 0 || len(uids) <= n {
		return uids
	}
	uids = uids[len(uids)-n:]
	c.cut, c.lowest = true, uids[0]
	return uids
}

// batches cuts what ascends by UID into pieces of up to n, which ascend too. The last piece comes first when the limit ended the command.
func batches[T any](c *command, all []T, n int) iter.Seq[[]T] {
	if !c.cut {
		return slices.Chunk(all, n)
	}
	return func(yield func([]T) bool) {
		for len(all) > 0 {
			from := max(0, len(all)-n)
			if !yield(all[from:]) {
				return
			}
			all = all[:from]
		}
	}
}

// limitCode is the response code; without a UID where the command was not about messages of the mailbox.
func limitCode(n int, lowest uint32) string {
	if lowest == 0 {
		return fmt.Sprintf("MESSAGELIMIT %d", n)
	}
	return fmt.Sprintf("MESSAGELIMIT %d %d", n, lowest)
}

// tooMany refuses a command that would be about more than n messages.
func tooMany(n int, lowest uint32) error {
	return no(goimap.ResponseCode(limitCode(n, lowest)), "Too many messages, try fewer at once")
}

// checkSaved refuses to store more messages, ascending, than allowed.
func (s *session) checkSaved(uids []uint32) error {
	if n := s.saveLimit(); n > 0 && len(uids) > n {
		return tooMany(n, uids[len(uids)-n])
	}
	return nil
}
