package serve

import (
	"crypto/rand"
	"strings"
)

// easy are 32 characters that cannot be mistaken for each other.
const easy = "0123456789abcdefghjkmnpqrstvwxyz"

// NewPassword makes a password of 100 random bits that can be read aloud: "k7xq-0m3d-…".
func NewPassword() string {
	b := make([]byte, 20)
	rand.Read(b)
	var out strings.Builder
	for i, v := range b {
		if i > 0 && i%4 == 0 {
			out.WriteByte('-')
		}
		out.WriteByte(easy[v%32])
	}
	return out.String()
}

// Password is the generated password of a state directory, the same at every start, so that mail programs need to be told only once.
func (s *State) Password() (string, error) {
	b, err := s.keep(passwordName, func() []byte { return []byte(NewPassword() + "\n") })
	return strings.TrimSpace(string(b)), err
}
