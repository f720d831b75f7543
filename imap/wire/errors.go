package wire

// SyntaxError is a client's mistake: answered with "Tag BAD [Code] Text", or "* BAD" when Tag is empty. The session goes on.
// Tag is set by Reader.ReadCommand where the tag could be read; errors of the Parse functions carry none, the caller has the Frame.
// Code, if any, is the response code, e.g. "TOOBIG"; with Unavailable the mistake is not the client's, and the answer is NO.
type SyntaxError struct{ Text, Code, Tag string }

// Unavailable is the Code of a command for which the server has no room at the moment (RFC 5530).
const Unavailable = "UNAVAILABLE"

func (e *SyntaxError) Error() string { return e.Text }

// CharsetError is a SEARCH in a charset that is not known: answered with NO and the response code BADCHARSET (RFC 9051 §6.4.4).
type CharsetError struct{ Charset string }

func (e *CharsetError) Error() string { return "charset not supported" }

// FatalError is input after which nobody knows where the next command starts: answered with BYE, then the connection is closed.
type FatalError struct{ Text string }

func (e *FatalError) Error() string { return e.Text }
