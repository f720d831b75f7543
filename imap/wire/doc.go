// Package wire is the grammar of IMAP: bytes to values and back, and nothing else. It knows no sessions, files or MIME.
//
// # Terms
//
// A line ends in CRLF; a bare LF is taken as well, people type into telnet. A literal is an announced number of raw octets,
// "{5}" CRLF "octets"; the client of a synchronizing one waits for the server's continuation line, that of a
// non-synchronizing one ("{5+}", RFC 7888) does not; "~{5}" is a literal8, which may hold NUL (RFC 3516). A command is a
// line and, as long as a line ends in a literal announcement, the literal and one more line. A frame is one command as
// received, cut behind its name. The decoder parses a frame's arguments in place.
//
// # Invariants
//
//   - Frame first, parse second. Where a command ends is decided by line ends and announcements alone, so however wrong its
//     inside is, the reader knows where the next one starts. Only input whose end cannot be found is a *FatalError.
//   - A refused command is read to its end: its non-synchronizing literals are on their way already and must not be
//     taken for commands. A synchronizing literal is refused by not asking for it.
//   - Memory follows the octets received, never an announced size, and ends at Limits. Message literals
//     (APPEND) are never held in memory.
//   - Parsing takes time linear in the input; recursion ends at Limits.Depth.
//   - Parsers return values that no longer refer to the frame's memory.
//
// # Leniency
//
// Accepted beyond the grammar, because Dovecot does and clients rely on it: LF line ends, several spaces where one is due,
// spaces before a line end or parenthesis, valid UTF-8 in strings and mailbox names without ENABLE.
//
// # Files
//
// reader.go frames, with reader_literal.go; literal.go streams message literals. decoder.go, strings.go, set.go, mailbox.go and date.go read
// the grammar's building blocks. command.go and query.go have the values that parse.go, append.go, list.go, metadata.go, fetch.go, search.go (with
// search_keys.go and charset.go), esearch.go and sort.go return; filter.go takes which mailboxes are meant. encoder.go and format.go write. errors.go has the errors.
package wire
