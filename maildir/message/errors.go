package message

import "errors"

// ErrUnknownEncoding: a Content-Transfer-Encoding that cannot be removed (RFC 3516: NO [UNKNOWN-CTE]).
var ErrUnknownEncoding = errors.New("unknown content transfer encoding")
