package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// verify tells whether a password is the stored one. user is the entry's name (only DIGEST-MD5 needs it).
type verify func(user, password string) bool

// secret is a stored password, taken apart.
type secret struct {
	scheme string // canonical name, "SHA512-CRYPT"
	stored string // as it stands in the file, braces included
	kind   string // secrets of the same kind cost the same time to verify
	heavy  bool   // slow on purpose: verified under the process-wide bound
	verify verify
	plain  string     // the password itself, for PLAIN
	scram  *scramKeys // for SCRAM-SHA-256
}

// scheme is one row of the table below.
type scheme struct {
	raw   int  // octets of the digest when data is binary of fixed length
	salt  bool // binary, the digest is followed by a salt
	heavy bool
	parse func(s *secret, data string) (verify, error)
}

// schemes are the password schemes of Dovecot by canonical name. Where the digest's length is fixed, hexadecimal and base64 data are told
// apart by their length.
var schemes = map[string]scheme{
	"PLAIN":       {parse: parsePlain},
	"PLAIN-TRUNC": {parse: parsePlainTrunc},

	"CRYPT":        {parse: parseCrypt, heavy: true},
	"BLF-CRYPT":    {parse: cryptWith("$2"), heavy: true},
	"SHA256-CRYPT": {parse: cryptWith("$5$"), heavy: true},
	"SHA512-CRYPT": {parse: cryptWith("$6$"), heavy: true},
	"MD5-CRYPT":    {parse: cryptWith("$1$"), heavy: true},
	"DES-CRYPT":    {parse: parseDES, heavy: true},
	"ARGON2":       {parse: parseArgon2, heavy: true},
	"ARGON2I":      {parse: parseArgon2, heavy: true},
	"ARGON2ID":     {parse: parseArgon2, heavy: true},
	"PBKDF2":       {parse: parsePBKDF2, heavy: true},

	"SCRAM-SHA-1":   {parse: parseSCRAM, heavy: true},
	"SCRAM-SHA-256": {parse: parseSCRAM, heavy: true},

	"PLAIN-MD4": {raw: 16, parse: digestOf(md4Sum)},
	"PLAIN-MD5": {raw: 16, parse: digestOf(md5Sum)},
	"SHA":       {raw: 20, parse: digestOf(sha1Sum)},
	"SHA256":    {raw: 32, parse: digestOf(sha256Sum)},
	"SHA512":    {raw: 64, parse: digestOf(sha512Sum)},
	"SMD5":      {raw: 16, salt: true, parse: saltedOf(md5Sum, 16)},
	"SSHA":      {raw: 20, salt: true, parse: saltedOf(sha1Sum, 20)},
	"SSHA256":   {raw: 32, salt: true, parse: saltedOf(sha256Sum, 32)},
	"SSHA512":   {raw: 64, salt: true, parse: saltedOf(sha512Sum, 64)},

	"CRAM-MD5":   {raw: 32, parse: parseCRAM},
	"DIGEST-MD5": {raw: 16, parse: parseDigestMD5},
}

// otherNames of schemes. MD5 is not here: what it means depends on the data.
var otherNames = map[string]string{
	"CLEAR": "PLAIN", "CLEARTEXT": "PLAIN", "SHA1": "SHA", "LDAP-MD5": "PLAIN-MD5", "HMAC-MD5": "CRAM-MD5",
}

// suffixes name the password's scheme at its end, an old form: pw[13].
var suffixes = map[string]string{"[13]": "CRYPT", "[34]": "PLAIN-MD5", "[56]": "DIGEST-MD5"}

var errNoPassword = errors.New("no password")

// parseSecret takes a password field apart. def is the scheme of a password that names none.
func parseSecret(stored, def string) (*secret, error) {
	name, data, coding := def, stored, ""
	switch {
	case strings.HasPrefix(stored, "{"):
		end := strings.IndexByte(stored, '}')
		if end < 0 {
			return nil, errors.New("password scheme without its closing brace")
		}
		name, data = stored[1:end], stored[end+1:]
		name, coding, _ = strings.Cut(name, ".")
	case strings.HasPrefix(stored, "$1$"):
		name = "MD5-CRYPT"
		if i := len(stored) - 4; i > 0 && suffixes[stored[i:]] != "" {
			data = stored[:i]
		}
	case len(stored) >= 4 && suffixes[stored[len(stored)-4:]] != "":
		name, data = suffixes[stored[len(stored)-4:]], stored[:len(stored)-4]
	}
	if data == "" {
		return nil, errNoPassword
	}
	name = canonical(name)
	if name == "MD5" {
		if name = "PLAIN-MD5"; strings.HasPrefix(data, "$1$") {
			name = "MD5-CRYPT"
		}
	}
	row, ok := schemes[name]
	if !ok {
		return nil, fmt.Errorf("password scheme %q is not supported", name)
	}
	data, err := decode(data, strings.ToUpper(coding), row)
	if err != nil {
		return nil, err
	}
	s := &secret{scheme: name, stored: stored, kind: name, heavy: row.heavy}
	if s.verify, err = row.parse(s, data); err != nil {
		return nil, err
	}
	return s, nil
}

// canonical is the name of a scheme as the table has it.
func canonical(name string) string {
	name = strings.ToUpper(name)
	if other, ok := otherNames[name]; ok {
		return other
	}
	return name
}

// CheckScheme tells whether name can be the scheme of passwords that name none.
func CheckScheme(name string) error {
	name, _, _ = strings.Cut(name, ".")
	if name = canonical(name); name == "MD5" || schemes[name].parse != nil {
		return nil
	}
	return fmt.Errorf("there is no password scheme %q; Dovecot's default is \"CRYPT\"", name)
}

// decode undoes the encoding of the data of a scheme.
func decode(data, coding string, row scheme) (string, error) {
	var b []byte
	var err error
	switch {
	case coding == "HEX", coding == "" && row.raw > 0 && !row.salt && len(data) == 2*row.raw:
		b, err = hex.DecodeString(data)
	case coding == "B64", coding == "BASE64", coding == "" && row.raw > 0:
		b, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "="))
	case coding == "":
		return data, nil
	default:
		return "", fmt.Errorf("password encoding %q is not one of hex, b64, base64", coding)
	}
	if err != nil {
		return "", errors.New("password data is neither hexadecimal nor base64")
	}
	if len(b) < row.raw || row.raw > 0 && !row.salt && len(b) != row.raw {
		return "", fmt.Errorf("password data has %d octets, the scheme needs %d", len(b), row.raw)
	}
	return string(b), nil
}

// equal compares without telling by its time how much is equal or how long the stored value is.
func equal(stored, given string) bool {
	a, b := sha256.Sum256([]byte(stored)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func parsePlain(s *secret, data string) (verify, error) {
	s.plain = data
	return func(_, password string) bool { return equal(data, password) }, nil
}

// parsePlainTrunc: <n>-<text>. Text of n octets was cut off there: only so much of the password counts.
func parsePlainTrunc(_ *secret, data string) (verify, error) {
	number, text, ok := strings.Cut(data, "-")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || text == "" {
		return nil, errors.New("PLAIN-TRUNC needs <length>-<password>")
	}
	return func(_, password string) bool {
		if len(text) == int(n) && len(password) > len(text) {
			password = password[:len(text)]
		}
		return equal(text, password)
	}, nil
}

// kindOf drops salt and hash from a modular crypt string and keeps what sets the cost.
func kindOf(name, data string) string {
	parts := strings.Split(data, "$")
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) >= 8 && !strings.Contains(p, "=") })
	return name + strings.Join(parts, "$")
}
