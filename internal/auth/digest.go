package auth

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	//lint:ignore SA1019 Dovecot has a scheme of it, and who uses it must be able to log in
	"golang.org/x/crypto/md4"
)

func md4Sum(b string) []byte {
	h := md4.New()
	h.Write([]byte(b))
	return h.Sum(nil)
}
func md5Sum(b string) []byte    { d := md5.Sum([]byte(b)); return d[:] }
func sha1Sum(b string) []byte   { d := sha1.Sum([]byte(b)); return d[:] }
func sha256Sum(b string) []byte { d := sha256.Sum256([]byte(b)); return d[:] }
func sha512Sum(b string) []byte { d := sha512.Sum512([]byte(b)); return d[:] }

// digestOf: the data is the digest of the password.
func digestOf(sum func(string) []byte) func(*secret, string) (verify, error) {
	return func(_ *secret, data string) (verify, error) {
		return func(_, password string) bool { return hmac.Equal(sum(password), []byte(data)) }, nil
	}
}

// saltedOf: the data is the digest, n octets, of password and salt, and then the salt.
func saltedOf(sum func(string) []byte, n int) func(*secret, string) (verify, error) {
	return func(_ *secret, data string) (verify, error) {
		digest, salt := data[:n], data[n:]
		return func(_, password string) bool { return hmac.Equal(sum(password+salt), []byte(digest)) }, nil
	}
}

// parseDigestMD5: MD5("user:realm:password"), the realm being what follows the last "@" of the user's name (RFC 2831 §2.1.2.1).
func parseDigestMD5(_ *secret, data string) (verify, error) {
	return func(user, password string) bool {
		realm := ""
		if i := strings.LastIndexByte(user, '@'); i >= 0 {
			user, realm = user[:i], user[i+1:]
		}
		return hmac.Equal(md5Sum(user+":"+realm+":"+password), []byte(data))
	}, nil
}

// parseCRAM: the states of HMAC-MD5's two digests after the key block, outer first, words little-endian.
func parseCRAM(_ *secret, data string) (verify, error) {
	return func(_, password string) bool {
		key := []byte(password)
		if len(key) > md5.BlockSize {
			key = md5Sum(password)
		}
		got := append(md5State(key, 0x5c), md5State(key, 0x36)...)
		return hmac.Equal(got, []byte(data))
	}, nil
}

// md5State is MD5's state after one block of key padded with zeros, each octet combined with pad.
func md5State(key []byte, pad byte) []byte {
	block := make([]byte, md5.BlockSize)
	copy(block, key)
	for i := range block {
		block[i] ^= pad
	}
	h := md5.New()
	h.Write(block)
	// The only way to the state: crypto/md5 promises this form, "md5\x01", four words big-endian, … for ever (Go 1 compatibility).
	form, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(form) < 20 {
		panic("auth: crypto/md5 does not show its state")
	}
	state := make([]byte, 0, md5.Size)
	for i := 4; i < 20; i += 4 {
		state = binary.LittleEndian.AppendUint32(state, binary.BigEndian.Uint32(form[i:]))
	}
	return state
}

// maxIterations bounds what a stored secret may cost; the file is trusted, typing errors in it are not.
const maxIterations = 10_000_000

// parsePBKDF2: $1$<salt>$<rounds>$<40 hex>, HMAC-SHA1, the salt used as the text it is.
func parsePBKDF2(s *secret, data string) (verify, error) {
	part := strings.Split(data, "$")
	if len(part) != 5 || part[0] != "" || part[1] != "1" {
		return nil, errors.New("PBKDF2 needs $1$<salt>$<rounds>$<hash>")
	}
	rounds, err1 := strconv.Atoi(part[3])
	want, err2 := hex.DecodeString(part[4])
	if err1 != nil || err2 != nil || rounds < 1 || rounds > maxIterations || len(want) != sha1.Size {
		return nil, errors.New("PBKDF2 needs $1$<salt>$<rounds>$<40 hexadecimal digits>")
	}
	s.kind = "PBKDF2 " + part[3]
	return func(_, password string) bool {
		got, err := pbkdf2.Key(sha1.New, password, []byte(part[2]), rounds, len(want))
		return err == nil && hmac.Equal(got, want)
	}, nil
}

// scramKeys is what RFC 5802 §3 lets a server store.
type scramKeys struct {
	salt                 []byte
	iterations           int
	storedKey, serverKey []byte
}

// minIterations is the least iteration count clients accept (RFC 5802 §5.1).
const minIterations = 4096

// parseSCRAM: <iterations>,<salt>,<StoredKey>,<ServerKey>, the last three in base64.
func parseSCRAM(s *secret, data string) (verify, error) {
	newHash := sha256.New
	if s.scheme == "SCRAM-SHA-1" {
		newHash = sha1.New
	}
	part := strings.Split(data, ",")
	if len(part) != 4 {
		return nil, errors.New("SCRAM needs <iterations>,<salt>,<StoredKey>,<ServerKey>")
	}
	k := &scramKeys{}
	var err [4]error
	k.iterations, err[0] = strconv.Atoi(part[0])
	k.salt, err[1] = base64.StdEncoding.DecodeString(part[1])
	k.storedKey, err[2] = base64.StdEncoding.DecodeString(part[2])
	k.serverKey, err[3] = base64.StdEncoding.DecodeString(part[3])
	size := newHash().Size()
	switch {
	case errors.Join(err[:]...) != nil, len(k.salt) == 0, len(k.storedKey) != size, len(k.serverKey) != size:
		return nil, errors.New("SCRAM needs <iterations>,<salt>,<StoredKey>,<ServerKey>, the last three in base64")
	case k.iterations < minIterations || k.iterations > maxIterations:
		return nil, fmt.Errorf("SCRAM iteration count %d is not between %d and %d", k.iterations, minIterations, maxIterations)
	}
	if s.scheme == "SCRAM-SHA-256" {
		s.scram = k
	}
	s.kind = s.scheme + " " + part[0]
	return func(_, password string) bool {
		got := deriveSCRAM(newHash, password, k.salt, k.iterations)
		return hmac.Equal(got.storedKey, k.storedKey) && hmac.Equal(got.serverKey, k.serverKey)
	}, nil
}

// deriveSCRAM computes what the server stores (RFC 5802 §3).
func deriveSCRAM(newHash func() hash.Hash, password string, salt []byte, iterations int) *scramKeys {
	mac := func(key []byte, text string) []byte {
		m := hmac.New(newHash, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	salted, err := pbkdf2.Key(newHash, password, salt, iterations, newHash().Size())
	if err != nil { // only for a key length that is out of range
		panic(err)
	}
	h := newHash()
	h.Write(mac(salted, "Client Key"))
	return &scramKeys{salt: salt, iterations: iterations, storedKey: h.Sum(nil), serverKey: mac(salted, "Server Key")}
}
